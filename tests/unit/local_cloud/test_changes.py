"""A waiter is woken by what it waits for, and by nothing else."""

from __future__ import annotations

import threading

from local_cloud import changes


def test_only_its_keys_wake_a_waiter() -> None:
    with changes.listening("job-1", "job-2") as news:
        changes.announce("job-3")
        assert not news.is_set()
        changes.announce("job-2")
        assert news.is_set()


def test_all_who_wait_for_a_key_are_woken() -> None:
    with changes.listening("job-1") as first, changes.listening("job-1") as second:
        changes.announce("job-1")
        assert first.is_set()
        assert second.is_set()


def test_an_event_is_a_key_by_identity() -> None:
    mine, other = threading.Event(), threading.Event()
    with changes.listening(mine) as news:
        changes.announce(other)
        assert not news.is_set()
        changes.announce(mine)
        assert news.is_set()


def test_nothing_is_kept_of_a_waiter_that_left() -> None:
    with changes.listening("job-1", "job-1"):
        pass
    changes.announce("job-2")
    assert not changes._waiters
