"""The proof of the machines sees the faults that people make, and sees none where there is none.

A sample of each kind of mutant; `python -m tests.mutation.hunt` takes all of them.
"""

from __future__ import annotations

import random

import pytest

from tests.mutation import machines
from tests.mutation.hunt import LEAST_KILLED, Hunt
from tests.mutation.machines import Mutant

SAMPLE_OF_A_KIND = 6
MUTANTS_MIN = 1000


@pytest.fixture(scope="module")
def hunt() -> Hunt:
    return Hunt()


@pytest.fixture(scope="module")
def mutants() -> list[Mutant]:
    return machines.all_mutants()


def test_the_machines_as_they_are_have_nothing_wrong(hunt: Hunt) -> None:
    for machine in hunt.project.templates.machines:
        assert [finding for finding in hunt.project.prove(machine) if not finding.is_note] == []


def test_there_are_mutants_of_every_machine_and_kind(mutants: list[Mutant]) -> None:
    assert len(mutants) >= MUTANTS_MIN
    assert {mutant.machine for mutant in mutants} == {"training", "run", "promotion", "inference"}


def test_nearly_all_mutants_are_killed(hunt: Hunt, mutants: list[Mutant]) -> None:
    chance = random.Random(7)
    by_kind: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_kind.setdefault(mutant.kind, []).append(mutant)
    sample = [one for kind in by_kind.values() for one in chance.sample(kind, min(SAMPLE_OF_A_KIND, len(kind)))]
    survivors = [str(mutant) for mutant in sample if not hunt.kills(mutant)]
    assert len(survivors) <= (1 - LEAST_KILLED) * len(sample), "\n".join(survivors)


def test_a_rule_that_is_switched_off_lets_mutants_live(
    hunt: Hunt, mutants: list[Mutant], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: it is the rules that kill, not some accident of writing the mutants."""
    misspelt = next(one for one in mutants if one.kind == "wrong_errors")
    assert hunt.kills(misspelt)
    monkeypatch.setattr("cli.check.asl.error_names.check", lambda *_: None)
    assert not hunt.kills(misspelt)
