"""A call is known by what it is meant for, however the calls before it went."""

from __future__ import annotations

from types import SimpleNamespace

from local_cloud import intents


def sent(operation: str) -> str | None:
    params: dict[str, dict[str, str]] = {"headers": {}}
    intents.send(model=SimpleNamespace(name=operation), params=params, context={})
    return params["headers"].get(intents.HEADER)


def test_one_call_has_the_name_it_is_given() -> None:
    assert sent("SendMessage") is None
    with intents.meant("arn", "7"):
        assert sent("SendMessage") == "arn#7"
        assert sent("SendMessage") == "arn#7"
    assert sent("SendMessage") is None


def test_the_calls_of_a_step_are_counted_by_operation_so_that_a_look_between_them_does_not_matter() -> None:
    def calls(looks: int) -> list[str | None]:
        with intents.meant("stack/t", "s"), intents.step("Role.create"):
            first = sent("PutRolePolicy")
            for _ in range(looks):
                sent("GetRole")
            return [first, sent("PutRolePolicy")]

    assert calls(0) == calls(2) == [f"stack/t#s/Role.create.PutRolePolicy{number}" for number in (1, 2)]


def test_steps_of_steps_have_names_of_their_own() -> None:
    with intents.meant("stack/t", "s"), intents.step("Nested.create"):
        with intents.step("Queue.create"):
            assert sent("CreateQueue") == "stack/t#s/Nested.create/Queue.create.CreateQueue1"
        assert sent("CreateQueue") == "stack/t#s/Nested.create.CreateQueue1"


def test_a_step_of_nobody_means_nothing() -> None:
    with intents.step("Role.create"):
        assert sent("CreateRole") is None
