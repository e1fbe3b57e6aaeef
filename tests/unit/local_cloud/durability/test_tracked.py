"""Whatever may have changed is noted."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest

from local_cloud.durability.tracked import TrackedDict, TrackedList, changes, only_reads


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    changes.take()


def noted(collection: Any) -> set[Any]:
    return next((keys for found, keys in changes.take().entries if found is collection), set())


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["a"],
        lambda d: d.get("a"),
        lambda d: d.setdefault("a", 0),
        lambda d: d.__setitem__("a", 5),
        lambda d: d.update(a=5),
        lambda d: d.pop("a"),
        lambda d: d.__delitem__("a"),
        lambda d: list(d.values()),
        lambda d: list(d.items()),
        lambda d: d.clear(),
        lambda d: d.popitem(),
    ],
)
def test_what_may_change_an_entry_notes_it(change: Callable[[Any], Any]) -> None:
    tracked = TrackedDict({"a": [1]}.items())
    noted(tracked)
    change(tracked)
    assert noted(tracked) == {"a"}


def test_looking_whether_it_is_there_notes_nothing() -> None:
    tracked = TrackedDict({"a": [1]}.items())
    noted(tracked)
    assert "a" in tracked and len(tracked) == 1 and list(tracked) == ["a"] and tracked.get("b") is None
    assert noted(tracked) == set()


def test_setdefault_reserves_a_name_once() -> None:
    tracked, barrier, got = TrackedDict(), threading.Barrier(4), []

    def reserve(mine: object) -> None:
        barrier.wait()
        got.append(tracked.setdefault("name", mine) is mine)

    threads = [threading.Thread(target=reserve, args=(object(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]


def test_a_request_that_only_reads_notes_nothing_and_others_do_meanwhile() -> None:
    tracked = TrackedDict({"a": 1, "b": 2}.items())
    noted(tracked)
    only_reads(True)
    try:
        assert tracked["a"] == 1
        other = threading.Thread(target=lambda: tracked["b"])
        other.start()
        other.join()
    finally:
        only_reads(False)
    assert noted(tracked) == {"b"}


def test_a_list_notes_what_is_appended() -> None:
    tracked = TrackedList([1, 2])
    noted(tracked)
    tracked.append(3)
    tracked += [4]
    tracked.extend([5])
    assert noted(tracked) == {2, 3, 4}


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.pop(),
        lambda items: items.pop(0),
        lambda items: items.__delitem__(0),
        lambda items: items.__setitem__(slice(None), [7]),
        lambda items: items.insert(0, 7),
        lambda items: items.remove(1),
        lambda items: items.reverse(),
        lambda items: items.sort(key=lambda item: -item),
        lambda items: items.clear(),
    ],
)
def test_any_other_change_of_a_list_is_written_as_it_then_is(change: Callable[[Any], Any]) -> None:
    tracked = TrackedList([1, 2, 3])
    noted(tracked)
    written = {tracked.text(index): item for index, item in enumerate([1, 2, 3])}
    change(tracked)
    for index in noted(tracked):
        try:
            written[tracked.text(index)] = tracked.stored(index)
        except KeyError:
            written.pop(tracked.text(index), None)
    assert [written[key] for key in sorted(written)] == list(tracked)


def test_what_a_failed_commit_took_is_noted_again() -> None:
    tracked = TrackedDict({"a": 1}.items())
    changes.write("history", "1", b"old")
    changes.drop("intents")
    taken = changes.take()
    changes.write("history", "1", b"new")
    changes.put_back(taken)
    again = changes.take()
    assert again.entries == [(tracked, {"a"})]
    assert again.cells == {("history", "1"): b"new"}
    assert again.dropped == {"intents"}


def test_a_backend_is_taken_along_while_and_once_after_a_request_is_served() -> None:
    with changes.serving({"sqs"}):
        assert changes.take().services == {"sqs"}
        assert changes.take().services == {"sqs"}
        with changes.serving({"sqs"}):
            pass
        assert changes.take().services == {"sqs"}
    assert changes.take().services == {"sqs"}
    assert changes.take().services == set()


def test_a_copy_is_plain_and_notes_nothing() -> None:
    tracked, listed = TrackedDict({"a": [1]}.items()), TrackedList([[1]])
    changes.take()
    copies = copy.deepcopy((tracked, listed))
    assert copies == ({"a": [1]}, [[1]]) and [type(one) for one in copies] == [dict, list]
    assert copies[0]["a"] is not dict.__getitem__(tracked, "a")
    assert not changes.take().entries
