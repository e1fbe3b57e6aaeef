"""What scenarios learn from the ledger of their cloud, test by test."""

from __future__ import annotations

import json
from pathlib import Path

from cli.check.iam.usage import Use
from tests.scenarios.accesses import Accesses, Witness

READ, WRITE = Use("Role", "Read", "s3:GetObject"), Use("Role", "Write", "s3:PutObject")
ROLE = "arn:aws:iam::123456789012:role/turbine-Role-ABCDEF123"
PERSON = "arn:aws:iam::123456789012:user/somebody"


def write(ledger: Path, use: Use, who: str = ROLE, denied: str | None = None) -> None:
    line = {"who": who, "action": use.action, "sid": use.sid, "resource": "a", "needed": not denied, "denied": denied}
    with ledger.open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_a_need_is_put_down_to_the_test_that_it_came_up_in_first(tmp_path: Path) -> None:
    ledger = tmp_path / "access.jsonl"
    accesses = Accesses(ledger, {READ, WRITE})
    assert accesses.news("before anything was asked for") == []
    write(ledger, READ)
    assert len(accesses.news("first")) == 1
    assert accesses.missing() == ["Role/Write"]
    write(ledger, READ)
    write(ledger, WRITE)
    assert len(accesses.news("second")) == 2
    assert accesses.needed == {READ: Witness("a", "first"), WRITE: Witness("a", "second")}
    assert accesses.missing() == []


def test_denials_are_those_of_roles_and_come_once(tmp_path: Path) -> None:
    ledger = tmp_path / "access.jsonl"
    accesses = Accesses(ledger, {READ})
    write(ledger, READ, denied="not this one")
    write(ledger, READ, PERSON, denied="nor this person")
    assert accesses.denials(accesses.news("first")) == ["not this one"]
    assert accesses.denials(accesses.news("second")) == []
