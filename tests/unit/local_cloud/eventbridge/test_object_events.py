"""What S3 tells of objects."""

from __future__ import annotations

from local_cloud.eventbridge.object_events import next_sequencer


def test_sequencers_grow_and_differ_in_length() -> None:
    made = [next_sequencer() for _ in range(1000)]
    padded = [one.ljust(20, "0") for one in made]
    assert padded == sorted(padded)
    assert len(set(padded)) == 1000
    assert {len(one) for one in made} == {18, 20}
    assert all(int(one, 16) for one in made)
