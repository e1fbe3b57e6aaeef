"""An operation that is done again begins with what it had found, and tells its history once."""

from __future__ import annotations

from local_cloud.cloudformation.resources.base import Created, Desired, StackContext
from local_cloud.cloudformation.stacks import Pending, Stack, StackResource, StackStore

CONTEXT = StackContext("s", "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", "123456789012", "us-east-1")
NESTED = StackContext("n", "arn:aws:cloudformation:us-east-1:123456789012:stack/n/2", "123456789012", "us-east-1")


def resource(name: str, token: str) -> StackResource:
    desired = Desired(name, "AWS::SQS::Queue", {}, {}, CONTEXT, token)
    return StackResource(desired, Created(desired.name(80)), "CREATE_COMPLETE")


def test_it_finds_the_resources_that_it_had_found() -> None:
    store, stack = StackStore(), Stack(CONTEXT, "CREATE_COMPLETE")
    stack.resources = {"Old": resource("Old", "first")}
    store.add(stack)
    store.begin(stack, Pending(token="second"))
    stack.set_status("UPDATE_IN_PROGRESS")
    stack.resources["Old"].keep_on_delete = True
    stack.resources["New"] = resource("New", "second")
    store.add(Stack(NESTED, "CREATE_COMPLETE", parent_id=CONTEXT.stack_id, root_id=CONTEXT.stack_id))
    store.begin_again(stack)
    assert (stack.status, list(stack.resources)) == ("UPDATE_IN_PROGRESS", ["Old"])
    assert not stack.resources["Old"].keep_on_delete
    assert store.everything() == [stack]


def test_what_it_has_told_is_not_told_twice_until_it_goes_another_way() -> None:
    store, stack = StackStore(), Stack(CONTEXT, "CREATE_IN_PROGRESS")
    store.add(stack)
    store.begin(stack, Pending())
    for name in ("A", "B"):
        stack.note(name, "", "AWS::SQS::Queue", "CREATE_IN_PROGRESS")
    ids = [event.event_id for event in stack.events]
    store.begin_again(stack)
    for name in ("A", "C", "D"):
        stack.note(name, "", "AWS::SQS::Queue", "CREATE_IN_PROGRESS")
    assert [event.logical_id for event in stack.events] == ["A", "B", "C", "D"]
    assert [event.event_id for event in stack.events[:2]] == ids


def test_one_operation_gives_a_resource_one_name_and_the_next_another() -> None:
    names = [resource("Queue", token).created.physical_id for token in ("first", "first", "second")]
    assert names[0] == names[1] != names[2]
    assert resource("Other", "first").created.physical_id[-12:] != names[0][-12:]
