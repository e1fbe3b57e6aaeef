"""The findings that we live with, each for a reason, an owner and a time."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from scans.findings import Finding

LONGEST = datetime.timedelta(days=366)


class Exemption(BaseModel):
    """One reason, and the places of each rule that it holds for: exact ones, or with `*` for any part of a name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(min_length=20)
    owner: str = Field(min_length=1)
    expires: datetime.date
    findings: dict[str, list[str]] = Field(min_length=1)


@dataclass(frozen=True)
class Verdict:
    """What is left once the exceptions are applied. All three must be empty."""

    open: Sequence[Finding]
    unused: Sequence[str]
    out_of_date: Sequence[str]

    @property
    def is_clean(self) -> bool:
        return not (self.open or self.unused or self.out_of_date)


def read(path: Path) -> list[Exemption]:
    """Raises: pydantic.ValidationError naming the field."""
    return [Exemption.model_validate(entry) for entry in yaml.safe_load(path.read_text())]


def judge(findings: Sequence[Finding], exemptions: Sequence[Exemption], today: datetime.date) -> Verdict:
    """Which findings nobody excepts, which exceptions excepted nothing, and which ones have had their time."""
    excepted: set[Finding] = set()
    unused, out_of_date = [], []
    for exemption in exemptions:
        if not today <= exemption.expires <= today + LONGEST:
            out_of_date.append(f"{exemption.expires}: {exemption.reason}")
        for rule, places in exemption.findings.items():
            for place in places:
                matched = [one for one in findings if _covers(rule, one.rule) and fnmatchcase(one.place, place)]
                excepted.update(matched)
                if not matched:
                    unused.append(f"{rule} at {place}")
    return Verdict(sorted(set(findings) - excepted), unused, out_of_date)


def _covers(pattern: str, rule: str) -> bool:
    """Rules hold brackets (`AwsSolutions-IAM5[Resource::*]`), so only a `*` at the end of a pattern is one."""
    return rule == pattern or (pattern.endswith("**") and rule.startswith(pattern[:-2]))
