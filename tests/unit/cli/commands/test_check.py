from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from cli import app, exit_codes
from cli.check.quotas import limits
from cli.commands import check

ROOT = Path(__file__).parents[4]
TEMPLATE = """
Resources:
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machine.asl.yaml}
"""
DEFINITION = """
QueryLanguage: JSONata
TimeoutSeconds: 60
StartAt: Wait
States:
  Wait: {Type: Wait, Seconds: soon, Next: Done}
  Done: {Type: Succeed}
"""


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["turbine", "check", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return int(ended.value.code or 0)


def _project(folder: Path, definition: str) -> str:
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "machine.asl.yaml").write_text(definition)
    return str(folder)


def test_what_is_wrong_is_printed_with_its_place_and_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _run(monkeypatch, "--root", _project(tmp_path, DEFINITION)) == exit_codes.FAILED
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "machine.asl.yaml:6 Wait [field-value] `Seconds` is 'soon'"
    assert "    write: it must be a whole number from 0" in told.out
    assert "asl: 1 machines, 1 thing(s) to mend" in told.err


def test_json_is_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _run(monkeypatch, "--json", "--root", _project(tmp_path, DEFINITION)) == exit_codes.FAILED
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] == 1
    (finding,) = told["proofs"][0]["findings"]
    assert (finding["file"], finding["line"], finding["state"]) == ("machine.asl.yaml", 6, "Wait")


def test_a_definition_can_be_checked_by_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _project(tmp_path, DEFINITION)
    assert _run(monkeypatch, str(tmp_path / "machine.asl.yaml")) == exit_codes.FAILED
    assert "machine.asl.yaml:6 Wait [field-value]" in capsys.readouterr().out
    assert _run(monkeypatch, str(tmp_path / "absent.yaml")) == exit_codes.FAILED
    assert "absent.yaml" in capsys.readouterr().err


def test_nothing_wrong_is_exit_code_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _run(monkeypatch, "--root", _project(tmp_path, DEFINITION.replace("soon", "1"))) == exit_codes.OK


@pytest.mark.parametrize("definition", ["a: [", None])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, definition: str | None
) -> None:
    root = _project(tmp_path, definition or "")
    if definition is None:
        (tmp_path / "machine.asl.yaml").unlink()
    assert _run(monkeypatch, "--root", root) == exit_codes.FAILED
    assert "machine.asl.yaml" in capsys.readouterr().err


def test_a_folder_without_a_template_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _run(monkeypatch, "--root", str(tmp_path)) == exit_codes.REFUSED


def test_notes_are_told_when_asked_for_and_fail_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "--verbose", "--root", str(ROOT)) == exit_codes.OK
    assert "[note unhandled-error]" in capsys.readouterr().out


def test_roles_are_proved_where_they_are_turbines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("template.yaml", "stacks", "state_machines", "functions", "layers", "batch_jobs"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    template = tmp_path / "template.yaml"
    text = template.read_text()
    assert text.count("sagemaker:CreateModelPackage") == 1
    template.write_text(text.replace("sagemaker:CreateModelPackage", "sagemaker:DeleteModelPackage"))
    assert _run(monkeypatch, "--root", str(tmp_path)) == exit_codes.FAILED
    told = capsys.readouterr()
    assert "sagemaker:CreateModelPackage" in told.out
    assert "iam: 24 roles" in told.err


def test_limits_are_told_with_worst_case_and_margin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "--limits", "--json", "--root", str(ROOT)) == exit_codes.OK
    told = json.loads(capsys.readouterr().out)
    rows = {row["limit"]: row for row in told["limits"]}
    assert told["findings"] == 0
    assert set(limits.table()) <= set(rows)
    assert rows["payload"]["margin"] == rows["payload"]["value"] - rows["payload"]["worst"] > 0
    assert all(row["worst"] <= row["value"] and row["source"] for row in rows.values())


@pytest.mark.parametrize("arguments", [("--limits", "--account"), ("--limits", "x.yaml"), ("--account", "x.yaml")])
def test_limits_and_account_are_of_the_whole_project_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    assert _run(monkeypatch, *arguments) == exit_codes.REFUSED


def test_machines_that_are_wrong_have_no_worst_case(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    root = _project(tmp_path, DEFINITION)
    assert _run(monkeypatch, "--limits", "--root", root) == exit_codes.FAILED
    assert "something wrong with the machines" in capsys.readouterr().err
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/team.yaml").write_text("Resources: {}")
    monkeypatch.setitem(check.PROOFS, "iam", ("roles", lambda _: ([], 0)))
    assert _run(monkeypatch, "--root", root) == exit_codes.FAILED
    told = capsys.readouterr().err
    assert "iam: 0 roles" in told and "quotas" not in told
