"""Mutants of the project's state machines: each is one fault that a person could make, and that the proof must see.

A mutant differs from a machine in one place. Left out are changes that no reader of the files could call wrong: other
free texts, other numbers within their limits, names that only our own code gives and reads (keys of events' details, of
tags, of outputs, attributes of items besides the key).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.mutation import (
    argument_faults,
    error_faults,
    expression_faults,
    key_faults,
    payload_faults,
    state_faults,
    substitution_faults,
)
from tests.mutation.trees import Mutations

ROOT = Path(__file__).parents[2]
_KINDS: tuple[Callable[[Any], Mutations], ...] = (
    key_faults.misspelt_keys,
    key_faults.keys_in_another_case,
    key_faults.misspelt_placeholders,
    key_faults.misspelt_table_keys,
    key_faults.unknown_keys,
    key_faults.dropped_fields,
    argument_faults.dropped_arguments,
    argument_faults.wrong_types,
    argument_faults.wrong_values,
    argument_faults.wrong_attribute_values,
    payload_faults.dropped_payload_keys,
    payload_faults.wrong_payload_types,
    state_faults.wrong_targets,
    state_faults.unreachable_states,
    state_faults.wrong_types_of_fields,
    state_faults.timeouts,
    error_faults.wrong_errors,
    error_faults.errors_of_others,
    error_faults.shadowed_errors,
    substitution_faults.wrong_substitutions,
    substitution_faults.swapped_kinds,
    expression_faults.misspelt_variables,
    expression_faults.misspelt_functions,
    expression_faults.misspelt_fields,
    expression_faults.misplaced_states_fields,
    expression_faults.broken_syntax,
    expression_faults.wrong_operands,
    expression_faults.assignments,
    expression_faults.wrong_resources,
    expression_faults.impossible_comparisons,
)


@dataclass(frozen=True)
class Mutant:
    """A machine with one fault."""

    machine: str
    kind: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.machine} {self.kind}: {self.place}"


def all_mutants() -> list[Mutant]:
    """Every mutant of every machine, in a fixed order and each text once."""
    found: dict[tuple[str, str], Mutant] = {}
    for path in sorted((ROOT / "state_machines").glob("*.asl.yaml")):
        text = path.read_text()
        name = path.name.partition(".")[0]
        tree = yaml.safe_load(text)
        for make in _KINDS:
            for place, mutated in make(tree):
                changed = json.dumps(mutated, indent=1, ensure_ascii=False)  # which is YAML too, and quick to write
                found.setdefault((name, changed), Mutant(name, make.__name__, place, changed))
    return list(found.values())
