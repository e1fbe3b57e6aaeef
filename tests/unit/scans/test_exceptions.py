"""An exception excepts what it names, is used, and ends."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from scans import exceptions
from scans.exceptions import Exemption, judge
from scans.findings import Finding

TODAY = datetime.date(2026, 12, 1)
LATER = datetime.date(2027, 5, 31)
FOUND = [
    Finding("CKV_1", "template.yaml/Table", "not encrypted"),
    Finding("IAM5[Resource::*]", "template.yaml/JobRole", "wildcard"),
    Finding("IAM5[Resource::a/*]", "template.yaml/JobRole", "wildcard"),
]


def exemption(findings: dict[str, list[str]], expires: datetime.date = LATER) -> Exemption:
    return Exemption(reason="because of what the test needs", owner="me", expires=expires, findings=findings)


def test_what_nobody_excepts_is_open() -> None:
    verdict = judge(FOUND, [exemption({"CKV_1": ["template.yaml/*"]})], TODAY)
    assert list(verdict.open) == FOUND[1:]
    assert not verdict.is_clean


def test_a_rule_with_brackets_is_taken_literally_and_two_stars_end_a_family() -> None:
    exact = judge(FOUND, [exemption({"IAM5[Resource::*]": ["template.yaml/JobRole"]})], TODAY)
    assert [one.rule for one in exact.open] == ["CKV_1", "IAM5[Resource::a/*]"]
    family = judge(FOUND, [exemption({"IAM5**": ["template.yaml/JobRole"]})], TODAY)
    assert [one.rule for one in family.open] == ["CKV_1"]


def test_an_exception_that_excepts_nothing_has_to_go() -> None:
    verdict = judge([], [exemption({"CKV_1": ["template.yaml/Table"]})], TODAY)
    assert list(verdict.unused) == ["CKV_1 at template.yaml/Table"]
    assert not verdict.is_clean


@pytest.mark.parametrize("expires", [TODAY - datetime.timedelta(days=1), TODAY + datetime.timedelta(days=400)])
def test_an_exception_ends_and_lasts_a_year_at_most(expires: datetime.date) -> None:
    verdict = judge(FOUND[:1], [exemption({"CKV_1": ["*"]}, expires)], TODAY)
    assert not verdict.open
    assert len(verdict.out_of_date) == 1
    assert not verdict.is_clean


def test_an_exception_without_a_reason_is_refused(tmp_path: Path) -> None:
    (tmp_path / "exceptions.yaml").write_text("- {owner: me, expires: 2027-05-31, findings: {A: [b]}}")
    with pytest.raises(ValidationError, match="reason"):
        exceptions.read(tmp_path / "exceptions.yaml")


def test_ours_can_be_read() -> None:
    assert exceptions.read(Path(exceptions.__file__).with_suffix(".yaml"))
