"""Images in tars, from S3 over a loopback port through s3torchconnector to batches."""

import io
import json
import tarfile
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pytest
import torch
from moto.server import ThreadedMotoServer
from PIL import Image

from training.data import ShardReader, connector, images, open_training_data, profile_dataset
from training.data import shards as shards_module
from training.data.cache import ShardCache
from training.data.connector import BrokenOffError
from training.data.tar import TarFormat
from training.errors import BadDataError
from training.spec import Dataset, Shard, Split
from training.tasks import Classification

SPLIT = Split(id="x", salt="feed" * 4, validation=0.15, test=0.2)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, body in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


def grey(value: int, side: int = 3) -> np.ndarray:
    return np.full((side, side), value, np.uint8)


def samples(numbers: range, label: str = "cls") -> dict[str, bytes]:
    """Image number n is full of n's; its class is n % 2."""
    members: dict[str, bytes] = {}
    for number in numbers:
        members[f"train/{number:04}.png"] = png(grey(number))
        label_body = str(number % 2) if label == "cls" else json.dumps({"colour": "even" if number % 2 == 0 else "odd"})
        members[f"train/{number:04}.{label}"] = label_body.encode()
    return members


def opened(body: bytes, target: str = "cls") -> Any:
    return TarFormat(target).open(pa.BufferReader(body), "s3://data/a.tar")


def read_all(body: bytes, target: str = "cls") -> Any:
    shard = opened(body, target)
    (size,) = shard.unit_sizes
    (block,) = shard.blocks(0, range(size), np.ones(size, bool))
    return block


def test_an_image_is_its_pixels_one_colour_after_the_other() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    block = read_all(tar_of({"a.png": png(pixels), "a.cls": b"7"}))
    assert block.features.tolist() == [[*range(0, 18, 3), *range(1, 18, 3), *range(2, 18, 3)]]
    assert block.labels.tolist() == [7]


def test_a_json_label_keeps_its_type_and_other_members_are_left_alone() -> None:
    members = samples(range(4), "json") | {"train/0000.txt": b"a caption", "README.md": b"about"}
    assert read_all(tar_of(members), "colour").labels.tolist() == ["even", "odd", "even", "odd"]


def test_only_wanted_samples_are_decoded() -> None:
    members = samples(range(4))
    shard = opened(tar_of(members))
    wanted = np.array([False, True, False, True])
    (block,) = shard.blocks(0, range(10, 14), wanted)
    assert block.row_ids.tolist() == [11, 13]
    assert block.features[:, 0].tolist() == [1, 3]
    assert list(shard.blocks(0, range(10, 14), np.zeros(4, bool))) == []


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises ten gigapixels."""
    body = bytearray(png(grey(0)))
    body[16:24] = (100_000).to_bytes(4, "big") * 2
    body[29:33] = zlib.crc32(bytes(body[12:29])).to_bytes(4, "big")
    return bytes(body)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"train/0001.png": b"no image"}, "member 'train/0001.png' of shard s3://data/a.tar is not readable as an im"),
        ({"train/0001.png": png(grey(1))[:45]}, "member 'train/0001.png' .* is not readable as an image"),
        ({"train/0001.png": bomb()}, "member 'train/0001.png' .* has 100000 x 100000 pixels"),
        ({"train/0001.png": png(grey(1, 4))}, "0001.png' .* is 4 x 4 in grey, the first image is 3 x 3 in grey"),
        ({"train/0001.png": png(np.zeros((3, 3, 4), np.uint8))}, "0001.png' .* has mode RGBA"),
        ({"train/0001.cls": b"cat"}, "member 'train/0001.cls' .* holds no label 'cls': ValueError"),
        ({"train/0001.cls": str(2**70).encode()}, "0001.cls' .* does not fit int64"),
        ({"train/0001.cls": b"1" * 2_000_000}, "0001.cls' .* has 2000000 bytes"),
        ({"train/0009.png": png(grey(1))}, r"sample 'train/0009' of shard s3://data/a.tar has no train/0009.cls"),
        ({"train/0009.cls": b"1"}, "sample 'train/0009' .* has no image"),
        ({"train/0001.jpg": b"x"}, "member 'train/0001.jpg' .* is a second image of its sample"),
    ],
)
def test_a_bad_member_is_named(changes: dict[str, bytes], problem: str) -> None:
    with pytest.raises(BadDataError, match=problem):
        read_all(tar_of(samples(range(4)) | changes))


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (b'{"shape": 1}', "holds no label 'colour': KeyError"),
        (b'{"colour": 1}', "holds a int, the first label is a str"),
        (b'{"colour": ["odd"]}', "holds list as its label"),
        (b"[1]", "holds no label 'colour': TypeError"),
        (b"[" * 100_000, "holds no label 'colour': RecursionError"),
        (b'{"colour": NaN}', "holds nan, no finite float32"),
    ],
)
def test_a_bad_json_label_is_named(label: bytes, problem: str) -> None:
    with pytest.raises(BadDataError, match=rf"member 'train/0001.json' of shard s3://data/a.tar {problem}"):
        read_all(tar_of(samples(range(4), "json") | {"train/0001.json": label}), "colour")


@pytest.mark.parametrize(
    ("kind", "name"), [(tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "a.cls"), (tarfile.CHRTYPE, "")]
)
def test_links_and_devices_are_refused(kind: bytes, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("a.png")
        entry.type, entry.linkname = kind, name
        archive.addfile(entry)
    with pytest.raises(BadDataError, match=r"member 'a.png' of shard s3://data/a.tar is no plain file"):
        opened(buffer.getvalue())


def test_names_never_reach_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    escaping = {f"../../{name}": body for name, body in samples(range(2)).items()} | {"/abs.png": png(grey(1))}
    assert len(read_all(tar_of(escaping | {"/abs.cls": b"1"})).labels) == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", [b"junk" * 200, b"", tar_of(samples(range(4)))[:1200]])
def test_what_is_no_tar_is_named(body: bytes) -> None:
    with pytest.raises(BadDataError, match=r"shard s3://data/a.tar"):
        read_all(body)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    server.stop()


@pytest.fixture
def remote(endpoint: str, monkeypatch: pytest.MonkeyPatch, bench_type: Any) -> Any:
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    settings = dict.fromkeys(names, "testing") | {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return bench_type(boto3.client("s3"))


@pytest.fixture
def through(remote: Any, cache: ShardCache, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Which shards were read through the connector."""
    seen: list[str] = []
    read_chunks = connector.read_chunks

    def noted(shard: Shard, *arguments: Any) -> Iterator[bytes]:
        seen.append(shard.uri)
        return read_chunks(shard, *arguments)

    monkeypatch.setattr(shards_module, "read_chunks", noted)
    return lambda: seen


def test_tars_become_batches_through_the_connector(remote: Any, cache: ShardCache, through: Any) -> None:
    shards = [
        remote.put_object(f"{first}.tar", tar_of(samples(range(first, first + 20)))) for first in range(0, 60, 20)
    ]
    dataset = Dataset(
        name="d", version="v", format="tar", target="cls", shards=[Shard.model_validate(shard) for shard in shards]
    )
    profile = profile_dataset(dataset, SPLIT, ShardReader(remote.s3, cache), scales_inputs=False)
    assert through() == [shard.uri for shard in dataset.shards]
    assert profile.feature_names == [f"image_{place}" for place in range(9)]
    task = Classification.fit(profile.labels, "cls")
    data = open_training_data(
        profile, task, 16, seed=7, rank=0, size=1, device=torch.device("cpu"), resident=profile.fits_in_memory
    )
    batches = list(data.batches(1))
    seen = sorted(int(number) for batch in batches for number in batch.features[:, 0].tolist())
    assert seen == np.flatnonzero(profile.parts == 0).tolist()
    for batch in batches:
        assert batch.targets.tolist() == [int(number) % 2 for number in batch.features[:, 8].tolist()]


def test_an_overwritten_object_is_read_in_its_pinned_version_without_the_connector(
    remote: Any, cache: ShardCache, through: Any
) -> None:
    shard = Shard.model_validate(remote.put_object("a.tar", b"pinned"))
    remote.put_object("a.tar", b"of now")
    assert ShardReader(remote.s3, cache).open(shard, is_binary=True).read() == b"pinned"
    assert through() == []


def test_an_object_overwritten_while_the_connector_reads_is_named(
    remote: Any, cache: ShardCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = Shard.model_validate(remote.put_object("a.tar", b"pinned"))

    def overwritten(*_: Any) -> Iterator[bytes]:
        remote.put_object("a.tar", b"of now")
        yield b"of now"

    monkeypatch.setattr(shards_module, "read_chunks", overwritten)
    with pytest.raises(BadDataError, match=r"a.tar was overwritten while it was read"):
        ShardReader(remote.s3, cache).open(shard, is_binary=True)


def test_what_s3_refuses_the_connector_breaks_the_download_off(remote: Any) -> None:
    shard = Shard(bucket="data", key="gone.tar", etag="x", size_bytes=1)
    with pytest.raises(BrokenOffError, match="does not exist"):
        list(connector.read_chunks(shard, "us-east-1", 10))


def test_a_download_that_the_connector_breaks_off_begins_again(
    remote: Any, cache: ShardCache, through: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = Shard.model_validate(remote.put_object("a.tar", b"pinned"))
    whole = shards_module.read_chunks
    tries = iter([True, True, False])

    def broken(*arguments: Any) -> Iterator[bytes]:
        yield from whole(*arguments)
        if next(tries):
            raise BrokenOffError("Client error: Unknown CRT error")

    monkeypatch.setattr(shards_module, "read_chunks", broken)
    pauses: list[float] = []
    reader = ShardReader(remote.s3, cache, (1, 5), pauses.append)
    assert reader.open(shard, is_binary=True).read() == b"pinned"
    assert pauses == [1, 5]


def test_large_shards_of_any_format_go_through_the_connector(
    remote: Any, cache: ShardCache, through: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "LARGE_BYTES", 5)
    reader = ShardReader(remote.s3, cache)
    for name, body in (("small", b"1234"), ("large", b"12345")):
        assert reader.open(Shard.model_validate(remote.put_object(name, body))).read() == body
    assert through() == ["s3://data/datasets/winery/wine/v1/large"]


def test_an_image_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MOST_BYTES", 10)
    with pytest.raises(BadDataError, match=r"member 'train/0000.png' of .* has \d+ bytes"):
        read_all(tar_of(samples(range(1))))


def test_other_fields_of_the_labels_slice_the_evaluation() -> None:
    members = samples(range(4), "json")
    sites = ["A", 7, None, True]
    for number, site in enumerate(sites):
        label = {"colour": "even", "site": site, "age": 0.5}
        members[f"train/{number:04}.json"] = json.dumps(label).encode()
    shard = TarFormat("colour", ("site",)).open(pa.BufferReader(tar_of(members)), "s3://data/a.tar")
    (block,) = shard.blocks(0, range(4), np.ones(4, bool), with_slices=True)
    (codes,) = block.slices
    assert [codes.values[code] for code in codes.codes.tolist()] == ["A", "7", None, "true"]
    (plain,) = shard.blocks(0, range(4), np.ones(4, bool))
    assert plain.slices == ()


@pytest.mark.parametrize(
    ("target", "column", "value", "problem"),
    [
        ("cls", "site", "x", "slice column 'site' is not in the data set: .cls holds the label alone"),
        ("colour", "colour", "x", "slice column 'colour' is the target"),
        ("colour", "device", "x", "member 'train/0001.json' .* has no field 'device', a slice column"),
        ("colour", "site", 0.5, "member 'train/0001.json' .* holds float as 'site'"),
        ("colour", "site", "x" * 129, "member 'train/0001.json' .* holds a text of more than 128 bytes as 'site'"),
        ("colour", "site", "\ud800", "member 'train/0001.json' .* holds half of a surrogate pair as 'site'"),
    ],
)
def test_a_field_that_slices_nothing_is_named(target: str, column: str, value: Any, problem: str) -> None:
    members = samples(range(2), "cls" if target == "cls" else "json")
    if target != "cls":
        members["train/0000.json"] = json.dumps({"colour": "even", "site": "A", "device": 1}).encode()
        members["train/0001.json"] = json.dumps({"colour": "odd", "site": value}).encode()
    with pytest.raises(BadDataError, match=problem):
        shard = TarFormat(target, (column,)).open(pa.BufferReader(tar_of(members)), "s3://data/a.tar")
        list(shard.blocks(0, range(2), np.ones(2, bool), with_slices=True))
