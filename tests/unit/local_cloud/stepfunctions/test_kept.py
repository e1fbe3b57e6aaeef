"""A machine's executions are found by name, also those that come from the store, where they take little memory."""

from __future__ import annotations

from types import SimpleNamespace

from local_cloud.stepfunctions.kept import Executions, restore_execution


def test_one_is_found_by_its_name() -> None:
    executions = Executions()
    first, second = SimpleNamespace(name="first"), SimpleNamespace(name="second")
    executions.append(first)
    executions.fill("000000000001", second)
    assert executions.named("first") is first
    assert executions.named("second") is second
    assert executions.named("third") is None


def test_executions_from_the_store_share_their_machines_text() -> None:
    restored = []
    for number in range(2):
        machine = SimpleNamespace(definition="".join(["{", f'"StartAt": "{"A" * 99}"', "}"]))
        restored.append(SimpleNamespace())
        restore_execution(restored[-1], {"state_machine": machine, "name": str(number)})
    assert restored[0].state_machine.definition is restored[1].state_machine.definition
