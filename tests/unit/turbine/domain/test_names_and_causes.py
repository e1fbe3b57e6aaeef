from __future__ import annotations

import pytest

from turbine.domain import cause, names, uri
from turbine.domain.run import Shard, dataset_version, split_of


def test_a_run_id_fits_every_name_made_from_it() -> None:
    key = "0123456789ab" + "f" * 52
    assert names.run_id("vision", "digits", key) == "vision-digits-0123456789ab"
    long = names.run_id("t" * 20, "d" * 14 + "-" + "e" * 40, key)
    assert long == "t" * 20 + "-" + "d" * 14 + "-0123456789ab"
    assert len(names.run_id("t" * 20, "d" * 63, key)) == 48
    assert len(names.inference_id("r" * 48, 9999) + "-r99-t99") <= 63
    assert len(names.model_name("s" * 40, "t" * 20, 12345, "s3://a/b", "image")) == 63


def test_a_cause_key_is_of_the_version_and_not_of_its_sequencer() -> None:
    first = cause.manifest_cause("b", "k", "v1", "01")
    assert first.key == cause.manifest_cause("b", "k", "v1", "02").key
    assert first.key != cause.manifest_cause("b", "k", "v2", "01").key
    assert len(first.key) == 64


def test_each_entry_of_a_batch_has_its_own_key() -> None:
    file = cause.manifest_cause("b", "k", "v", "01")
    keys = {cause.batch_entry_cause(file, team, index).key for team in ("a1", "b1") for index in (0, 1)}
    assert len(keys | {file.key}) == 5


@pytest.mark.parametrize(
    ("older", "newer"), [("00AF", "00B0"), ("0A", "0A1"), ("0055AED6DCD90281E5", "0055aed6dcd90281e6")]
)
def test_sequencers_of_any_length_compare_as_text(older: str, newer: str) -> None:
    assert cause.padded_sequencer(older) < cause.padded_sequencer(newer)


def test_a_data_version_is_of_content_and_not_of_place_or_order() -> None:
    def shard(key: str, etag: str = "e") -> Shard:
        return Shard(bucket="b", key=key, version_id="v", etag=etag, size_bytes=3)

    version = dataset_version("d/one/", [shard("d/one/a"), shard("d/one/b", "f")])
    assert version == dataset_version("e/", [shard("e/b", "f"), shard("e/a")])
    assert version != dataset_version("d/one/", [shard("d/one/a"), shard("d/one/b")])
    assert len(version) == 16


def test_a_split_is_of_a_version_and_its_salt_of_the_team() -> None:
    first, second = split_of("vision", "1" * 16), split_of("vision", "2" * 16)
    assert first.salt == second.salt == "vision"
    assert len({first.id, second.id, split_of("botany", "1" * 16).id}) == 3


@pytest.mark.parametrize("bad", ["http://b/k", "s3://b", "s3://b/", "s3:///k", "s3://b/a//c", "s3://b/../c", "b/k"])
def test_only_plain_s3_uris_are_taken(bad: str) -> None:
    with pytest.raises(ValueError, match=r"s3://|segment"):
        uri.parse(bad)


def test_a_transform_taken_over_has_a_name_of_its_own_that_fits() -> None:
    longest = names.inference_id("v" * names.RUN_ID_MAX, 999)
    made = [names.transform_name(longest, fencing) for fencing in range(1, 20)]
    assert made[0] == longest and len(set(made)) == len(made)
    assert max(map(len, made)) <= names.TRANSFORM_NAME_MAX


def test_a_transform_of_a_late_champion_has_a_name_that_fits_with_every_suffix() -> None:
    made = [names.transform_name(names.inference_id("v" * names.RUN_ID_MAX, version), 1) for version in (10**4, 10**7)]
    assert len(set(made)) == 2
    assert max(len(f"{name}-r1000-t10") for name in made) <= 63
