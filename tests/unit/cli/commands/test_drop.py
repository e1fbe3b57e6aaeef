from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands.drop import drop, exit_code
from cli.errors import CommandError
from cli.observe import earlier_runs
from cli.observe.earlier_runs import EarlierRun
from cli.observe.follow import Ended
from cli.observe.records import RunItems


def _ended(status: str, decision: str | None, inference: dict[str, Any] | None = None) -> Ended:
    outcome = {"status": status, **({"decision": decision} if decision else {})}
    return Ended("vision", "r", RunItems("r", record={"pk": "p"}, outcome=outcome), inference)


PROMOTED = _ended("SUCCEEDED", "promoted", {"status": "SUCCEEDED"})
REFUSED = Ended("vision", None, rejections=({"field": "team"},))


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ([PROMOTED, _ended("SUCCEEDED", "held")], exit_codes.OK),
        ([PROMOTED, _ended("FAILED", None)], exit_codes.FAILED),
        ([_ended("FAILED", "promoted")], exit_codes.FAILED),
        ([_ended("SUCCEEDED", None)], exit_codes.FAILED),
        ([_ended("SUCCEEDED", "promoted", {"status": "FAILED"})], exit_codes.FAILED),
        ([PROMOTED, _ended("FAILED", None), REFUSED], exit_codes.REFUSED),
    ],
)
def test_the_exit_code_is_that_of_the_worst_run(ended: list[Ended], code: int) -> None:
    assert exit_code(ended) == code


EARLIER = EarlierRun("vision-digits-0123456789ab", "SUCCEEDED", "held")


class Dropping:
    """The command on a stack in which an earlier run is found, or may not be looked for."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch, found: list[EarlierRun] | ClientError) -> None:
        self.path = place / "m.json"
        self.path.write_text('{"team": "vision", "dataset": {"name": "digits"}}')
        self.put: list[str] = []
        monkeypatch.setattr(Cloud, "from_environment", lambda _: self)
        monkeypatch.setattr(earlier_runs, "find", self._find)
        self._found = found

    outputs = {"DataBucketName": "data"}  # noqa: RUF012

    def output(self, name: str) -> str:
        return self.outputs[name]

    def client(self, _: str) -> Dropping:
        return self

    def put_object(self, Key: str, **_: Any) -> dict[str, str]:  # noqa: N803
        self.put.append(Key)
        return {"VersionId": "version-1"}

    def _find(self, *_: Any) -> list[EarlierRun]:
        if isinstance(self._found, ClientError):
            raise self._found
        return self._found

    def drop(self, force: bool = False) -> None:
        drop(self.path, wait=False, team=None, force=force, timeout_s=1, stack="turbine", json_only=True)


def test_what_a_run_has_done_is_refused_by_its_name_and_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropping = Dropping(tmp_path, monkeypatch, [EARLIER])
    with pytest.raises(CommandError, match=r"vision-digits-0123456789ab \(SUCCEEDED, held\)") as raised:
        dropping.drop()
    assert (raised.value.exit_code, dropping.put) == (exit_codes.REFUSED, [])
    assert "--force" in str(raised.value.next_step)
    assert raised.value.as_json()["earlier"] == [EARLIER._asdict()]


def test_by_force_it_is_a_new_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropping = Dropping(tmp_path, monkeypatch, [EARLIER])
    dropping.drop(force=True)
    assert dropping.put == ["manifests/vision/m.json"]


def test_of_many_some_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EARLIER._replace(run_id=f"vision-{number}") for number in range(12)]
    with pytest.raises(CommandError, match=r"vision-4 \(SUCCEEDED, held\) and 7 more"):
        Dropping(tmp_path, monkeypatch, found).drop()


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Query")


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_who_may_not_look_may_drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    dropping = Dropping(tmp_path, monkeypatch, _error(code))
    dropping.drop()
    assert len(dropping.put) == 1


def test_another_error_while_looking_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClientError):
        Dropping(tmp_path, monkeypatch, _error("InternalServerError")).drop()
