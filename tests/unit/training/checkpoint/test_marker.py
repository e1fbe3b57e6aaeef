"""Names that sort by age, markers that are not believed blindly, and what may be removed."""

import pytest

from training.checkpoint.marker import CheckpointId, Marker, UnusableError, superseded

CHECKPOINT = CheckpointId(2, 500)
MARKER = Marker(2, 500, {"recipe": "x"}, "ab" * 32, 4096)


def test_a_later_holder_of_the_lease_is_newer_whatever_its_step() -> None:
    checkpoints = [CheckpointId(2, 10), CheckpointId(1, 900), CheckpointId(1, 1000)]
    assert max(checkpoints) == CheckpointId(2, 10)
    assert [checkpoint.name for checkpoint in sorted(checkpoints)] == sorted(item.name for item in checkpoints)


def test_names_are_read_back_and_others_ignored() -> None:
    assert CHECKPOINT.name == "00000002-000000000500"
    assert CheckpointId.parse(CHECKPOINT.name) == CHECKPOINT
    assert CheckpointId.parse("notes") is None


def test_a_marker_comes_back() -> None:
    assert Marker.from_json(MARKER.to_json(), CHECKPOINT) == MARKER


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        MARKER.to_json()[:-20],
        MARKER.to_json().replace(b'"schema_version": 1', b'"schema_version": 9'),
        MARKER.to_json().replace(b"size_bytes", b"size"),
    ],
)
def test_a_marker_that_makes_no_sense_is_unusable(body: bytes) -> None:
    with pytest.raises(UnusableError, match="its marker cannot be read"):
        Marker.from_json(body, CHECKPOINT)


def test_a_marker_of_another_checkpoint_is_unusable() -> None:
    with pytest.raises(UnusableError, match="another checkpoint's"):
        Marker.from_json(MARKER.to_json(), CheckpointId(3, 500))


def test_the_newest_complete_ones_stay() -> None:
    found = {CheckpointId(1, step): True for step in (10, 20, 30, 40)}
    assert superseded(found, CheckpointId(1, 40), keep=2) == [CheckpointId(1, 10), CheckpointId(1, 20)]


def test_torn_ones_go_and_take_no_place() -> None:
    found = {CheckpointId(1, 10): True, CheckpointId(1, 20): False, CheckpointId(2, 15): True}
    assert superseded(found, CheckpointId(2, 15), keep=2) == [CheckpointId(1, 20)]


def test_what_is_newer_is_left_alone_and_takes_no_place() -> None:
    found = {CheckpointId(1, 10): True, CheckpointId(1, 20): True, CheckpointId(2, 5): True, CheckpointId(2, 7): False}
    assert superseded(found, CheckpointId(1, 20), keep=2) == []
