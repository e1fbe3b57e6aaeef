from __future__ import annotations

import json
import signal
import sys
from typing import NoReturn

import pytest
import typer
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from cli import app as command
from cli import exit_codes
from cli.errors import CommandError, InterruptedBySignal


def _run(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, *arguments: str) -> int:
    """Run the command line with one command that ends in `error`."""
    app = typer.Typer()

    @app.command()
    def fail(json_only: bool = typer.Option(False, "--json")) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(command, "app", app)
    monkeypatch.setattr(sys, "argv", ["turbine", *arguments])
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            command.main()
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
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
        (InterruptedBySignal(signal.SIGINT), exit_codes.INTERRUPTED),
        (InterruptedBySignal(signal.SIGTERM), exit_codes.TERMINATED),
        (typer.Exit(2), exit_codes.REFUSED),
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


def test_an_unknown_failure_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def boom() -> NoReturn:
        raise ZeroDivisionError

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(boom)
    monkeypatch.setattr(command, "app", app)
    monkeypatch.setattr(sys, "argv", ["turbine"])
    with pytest.raises(ZeroDivisionError):
        command.main()


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
