"""What a request changes is written before its answer, whatever others write meanwhile."""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.durability import commits, pickling
from local_cloud.durability.recovery import recover
from local_cloud.durability.references import References
from local_cloud.durability.requests import durable
from local_cloud.durability.store import StateRefusedError, Store
from local_cloud.durability.tracked import TrackedDict, changes, making, only_reads
from local_cloud.eventbridge.outbox import Pending


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store in use; this process keeps nothing before and after."""
    changes.take()
    used = Store(tmp_path / "state.db", {})
    monkeypatch.setattr(commits, "_store", used)
    monkeypatch.setattr(commits, "_written", {})
    monkeypatch.setattr(commits, "_extras", {})
    monkeypatch.setattr(commits, "_references", References())
    yield used
    changes.take()


def request(**given: str) -> dict[str, Any]:
    scope = "Credential=AKIA/20260101/us-east-1/dynamodb/aws4_request"
    return {"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "D.Update", "HTTP_AUTHORIZATION": scope, **given}


def answer(work: Callable[[], object], **given: str) -> tuple[str, bytes]:
    """Status and body of a request that does `work`."""
    told: list[str] = []

    def application(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        work()
        start_response("200 OK", [])
        return [b"done"]

    body = b"".join(durable(application)(request(**given), lambda status, _: told.append(status)))
    return told[0], body


def written(store: Store, collection: TrackedDict, key: str) -> Any:
    body = store.cell(collection.space, key)
    return pickle.loads(body)[1] if body else None


def test_a_change_is_written_though_another_wrote_the_entry_between_look_up_and_change(store: Store) -> None:
    items = TrackedDict({"a": {"n": 1}}.items())
    commits.commit(())

    def update() -> None:
        found = items["a"]
        commits.commit(())  # as another request's thread does at any moment
        found["n"] = 2

    changes.take()
    assert answer(update)[0] == "200 OK"
    assert written(store, items, "a") == {"n": 2}


def test_what_a_reading_request_has_made_is_written_and_what_it_looked_up_is_not(store: Store) -> None:
    items, made = TrackedDict({"a": 1}.items()), TrackedDict()
    changes.take()

    def read() -> None:
        assert items["a"] == 1
        with making():
            made["policy"] = "text"

    assert answer(read, HTTP_X_AMZ_TARGET="D.Get" + "Item")[0] == "200 OK"
    assert written(store, made, "policy") == "text"
    assert written(store, items, "a") is None


def test_a_backend_that_a_request_reaches_is_taken_along_as_the_services_own() -> None:
    with changes.serving({"sns"}):
        changes.reach("sqs")
        changes.reach("sqs")
        assert changes.take().services == {"sns", "sqs"}
    assert changes.take().services == {"sns", "sqs"}
    assert changes.take().services == set()
    changes.reach("sqs")  # nobody is served
    assert changes.take().services == set()


def test_only_reads_holds_again_after_something_was_made() -> None:
    items = TrackedDict({"a": 1}.items())
    changes.take()
    only_reads(True)
    try:
        with making():
            pass
        assert items["a"] == 1
    finally:
        only_reads(False)
    assert changes.take().entries == []


def large(text: str) -> str:
    return text * pickling.LARGE


def contents(store: Store) -> set[str]:
    rows = store._database.execute("select value from contents").fetchall()
    return {bytes(value[:1]).decode() for (value,) in rows}


def test_a_content_goes_with_the_last_that_refers_to_it(store: Store) -> None:
    objects = TrackedDict({"a": large("x"), "b": large("x"), "c": large("y")}.items())
    commits.commit(())
    assert contents(store) == {"x", "y"}
    objects["a"] = objects["c"] = large("z")
    commits.commit(())
    assert contents(store) == {"x", "z"}
    del objects["b"]
    commits.commit(())
    assert contents(store) == {"z"}
    del objects["a"]
    objects["d"] = large("x")  # which was there before, and is needed again
    commits.commit(())
    assert contents(store) == {"x", "z"}
    assert store.cells(objects.space)[0][0] == "c"


def test_a_commit_that_fails_lets_no_content_go(store: Store) -> None:
    objects = TrackedDict({"a": large("x")}.items())
    commits.commit(())
    objects["a"] = threading.current_thread()  # which cannot be written
    with pytest.raises(commits.CannotKeepError, match="cannot be written: TypeError"):
        commits.commit(())
    assert contents(store) == {"x"}
    objects["a"] = large("y")
    commits.commit(())
    assert contents(store) == {"y"}


def test_what_was_read_back_is_known_to_be_referred_to(store: Store) -> None:
    objects = TrackedDict({"a": large("x"), "b": [large("x"), large("y")]}.items(), space="objects")
    commits.keep_extra("held", lambda: objects)
    commits.commit()
    recovered = recover(store)
    again = recovered.extras["held"]
    del again["b"]
    commits.commit(())
    assert contents(store) == {"x"}
    del again["a"]
    commits.commit(())
    assert contents(store) == set()


def test_after_a_commit_that_failed_a_call_is_not_done_before_that_is_written(store: Store) -> None:
    items, done = TrackedDict(), list[int]()
    pages = store._database.execute("pragma page_count").fetchone()[0]
    store._database.execute(f"pragma max_page_count = {pages + 4}")

    def put() -> None:
        done.append(len(done))
        items[str(len(done))] = large("x")[:-1] * 100

    refused = [answer(put, HTTP_X_LOCAL_INTENT="someone#1") for _ in range(3)]
    assert [status for status, _ in refused] == ["500 Internal Server Error"] * 3
    assert b"InternalFailure" in refused[0][1] and b"see whether there is room" in refused[0][1]
    assert done == [0]
    store._database.execute(f"pragma max_page_count = {pages + 10_000}")
    assert answer(put, HTTP_X_LOCAL_INTENT="someone#1") == ("200 OK", b"done")  # as it was done the first time
    assert (done, list(items)) == ([0], ["1"])


def test_few_huge_values_are_held_in_memory_for_their_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickling, "_hashes", {})
    monkeypatch.setattr(pickling, "_MOST_HASHED_BYTES", 3 * pickling.HUGE)
    values = [bytes([number]) * pickling.HUGE for number in range(5)]
    hashes = [pickling._sha256(value) for value in values]
    assert sum(len(value) for value, _ in pickling._hashes.values()) == 3 * pickling.HUGE
    assert hashes == [hashlib.sha256(value).hexdigest() for value in values]
    assert len(pickling._sha256(bytes(4 * pickling.HUGE))) == 64  # more than all that may be held
    assert pickling._hashes == {}


def test_a_record_of_an_earlier_version_of_a_class_is_refused_by_name(store: Store) -> None:
    record = Pending("rule", {"Arn": "queue"}, "{}", "1", "r", "e", accepted_at=1.0, due_at=2.0)
    outbox = TrackedDict({record.id: record}.items(), space="outbox")
    commits.keep_extra("outbox", lambda: outbox)
    commits.commit()
    assert recover(store).extras["outbox"][record.id] == record
    changes.take()
    del record.__dict__["accepted_at"]  # as if it were a field that the class did not have then
    outbox[record.id] = record
    commits.commit()
    with pytest.raises(StateRefusedError, match=r"outbox .* cannot be read .*Pending has no accepted_at: another ver"):
        recover(store)
