"""Which statements a ledger shows to be needed, and the page that says so of all of them."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from cli.check.iam import usage
from cli.check.iam.usage import Use
from tests.scenarios import statements
from tests.unit.cli.check.iam.conftest import ROOT

READ = Use("PrepareTrainingFunctionRole", "ReadTeams", "s3:GetObject")
WRITE = Use("PrepareTrainingFunctionRole", "Write", "s3:PutObject")
NAMED = "arn:aws:iam::123456789012:role/turbine-PrepareTrainingFunctionRole-ABC123DEF"
CUT = "arn:aws:iam::123456789012:role/a-stack-with-a-name-as-long-as-it-may-be-PrepareTrain-ABC123DEF"
_ROW = re.compile(r"\| `(\w+)` \| `([^`]+)` \| (.*) \| (the demo|`[^`]+`)? \| (.*) \|")


def line(use: Use, who: str = NAMED, needed: bool = True) -> dict[str, Any]:
    return {"who": who, "action": use.action, "sid": use.sid, "resource": "a", "needed": needed}


@pytest.mark.parametrize("who", [NAMED, CUT])
def test_what_was_allowed_by_one_statement_alone_needs_it(who: str) -> None:
    assert usage.needed({READ, WRITE}, [line(READ, who)]) == {READ: "a"}


def test_what_another_statement_would_have_allowed_needs_neither() -> None:
    assert usage.needed({READ, WRITE}, [line(READ, needed=False)]) == {}


def test_roles_and_statements_that_the_templates_do_not_have_are_nobodys() -> None:
    other = NAMED.replace("PrepareTraining", "Other")
    assert usage.needed({READ}, [line(READ, other), line(WRITE), line(READ._replace(sid=usage.UNNAMED))]) == {}


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, ...]]:
    """Role, Sid, needed actions, test, other actions of each row of the page."""
    return [found.groups() for found in map(_ROW.fullmatch, statements.PAGE.read_text().splitlines()) if found]


def test_the_page_has_every_statement_with_its_actions(rows: list[tuple[str, ...]]) -> None:
    told = {
        Use(role, sid, action)
        for role, sid, needed, _, rest in rows
        for action in re.findall(r"`([^`]+)`", f"{needed} {rest}")
    }
    assert told == usage.granted(ROOT), "next: python -m pytest tests/scenarios, python -m tests.scenarios.statements"


def test_the_page_names_for_every_statement_a_test_that_there_is(rows: list[tuple[str, ...]]) -> None:
    for role, sid, needed, test, _ in rows:
        assert needed, f"nothing needed {role}/{sid}"
        if test != "the demo":
            file, _, function = test.strip("`").partition("::")
            tree = ast.parse((ROOT / "tests/scenarios" / file).read_text())
            names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert function.partition("[")[0] in names
