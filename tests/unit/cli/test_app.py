from __future__ import annotations

import json
import sys

import pytest
import typer
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from cli import app as command
from cli import exit_codes
from cli.errors import CommandError
from cli.terminal import Terminal


def _run(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, *arguments: str) -> int:
    """Run the command line with one command that ends in `error`."""
    app = typer.Typer()

    @app.command()
    def fail(json_only: bool = typer.Option(False, "--json")) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(command, "app", app)
    monkeypatch.setattr(sys, "argv", ["turbine", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return int(ended.value.code or 0)


CLIENT_ERROR = ClientError(
    {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"RequestId": "r-1"}},  # type: ignore[typeddict-item]
    "GetObject",
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, exit_codes.OK),
        (CommandError("broken"), exit_codes.FAILED),
        (CommandError("refused", exit_code=exit_codes.REFUSED), exit_codes.REFUSED),
        (NoCredentialsError(), exit_codes.NO_STACK),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), exit_codes.NO_STACK),
        (CLIENT_ERROR, exit_codes.FAILED),
        (typer.Exit(2), exit_codes.REFUSED),
        (typer.Exit(0), exit_codes.OK),
        (ZeroDivisionError("a bug"), exit_codes.INTERNAL),
    ],
)
def test_every_end_has_its_exit_code(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, code: int) -> None:
    assert _run(monkeypatch, error) == code


def test_an_error_has_cause_place_and_next_step_on_stderr_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, CommandError("the cause", place="the place", next_step="type this"))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["Error: the cause", "Where: the place", "Next:  type this"]


def test_with_json_stdout_holds_one_object_also_for_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, CommandError("the cause", next_step="type this"), "--json")
    expected = {"error": {"cause": "the cause", "place": None, "next": "type this"}}
    assert json.loads(capsys.readouterr().out) == expected


def test_an_unforeseen_failure_has_its_traceback_and_its_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, ZeroDivisionError("a bug"), "--json")
    told = capsys.readouterr()
    assert "ZeroDivisionError: a bug" in json.loads(told.out)["error"]["cause"]
    assert "Traceback" in told.err


@pytest.mark.parametrize("arguments", [["runs", "--limit", "0"], ["runs", "--bogus"], ["nosuch"], ["show"]])
def test_a_wrong_command_line_has_its_object_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["turbine", *arguments, "--json"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == exit_codes.REFUSED
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["cause"]
    assert "--help" in error["next"]


def test_an_error_after_the_result_prints_no_second_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()

    @app.command()
    def late(json_only: bool = typer.Option(False, "--json")) -> None:
        Terminal(json_only).print_json({"result": 1})
        raise CommandError("too late")

    monkeypatch.setattr(command, "app", app)
    monkeypatch.setattr(sys, "argv", ["turbine", "--json"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == exit_codes.FAILED
    assert json.loads(capsys.readouterr().out) == {"result": 1}


def test_the_help_documents_every_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["turbine", "--help"])
    with pytest.raises(SystemExit):
        command.main()
    told = " ".join(capsys.readouterr().out.split())
    codes = [value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)]
    for code in codes:
        assert f" {code} " in told
