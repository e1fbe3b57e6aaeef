"""The project's stacks and what their roles need, derived once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from cli.check.iam import needs, stacks
from cli.check.iam.needs import Needs
from cli.check.iam.stacks import Stack

ROOT = Path(__file__).parents[5]


class Project(NamedTuple):
    stacks: list[Stack]
    needs: Needs


@pytest.fixture(scope="session")
def project() -> Project:
    read = stacks.read(ROOT)
    return Project(read, needs.derive(ROOT, read))
