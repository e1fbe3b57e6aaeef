"""Tar shards of images in the convention of WebDataset: `key.png` or `key.jpg` beside `key.cls` or `key.json`.

A key is a member's path up to the first dot of its name. The label is the integer in `key.cls` where the target
is "cls", else the target's field in the object of `key.json`, whose other fields may slice the evaluation. Other
members are left alone. Nothing is unpacked: members are read from the archive by where they lie in it, and no name ever
reaches the file system.

Refused with exit code 65, naming shard and member: what is no uncompressed tar, members that are links or
devices, a sample without image or label or with two, labels of mixed types, and what images.py refuses.
Source: https://github.com/webdataset/webdataset (the format's own description)
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from training.data.blocks import Block, SliceCodes, rows_per_block
from training.data.columns import name_problem, slice_name
from training.data.images import ImageShape, decode_image
from training.errors import BadDataError

IMAGE_ENDINGS = frozenset({"png", "jpg", "jpeg"})
CLASS_TARGET = "cls"
MOST_LABEL_BYTES = 1024 * 1024
INT64 = np.iinfo(np.int64)

Label = bool | int | float | str


@dataclass(frozen=True)
class Member:
    """A file inside the archive."""

    name: str
    offset: int
    size_bytes: int


@dataclass
class Sample:
    image: Member | None = None
    label: Member | None = None


@dataclass
class TarFormat:
    """Learns the images' shape and the labels' type from the first sample."""

    target: str
    slices: tuple[str, ...] = ()
    shape: ImageShape | None = None
    label_type: type | None = None
    is_binary: bool = True

    @property
    def feature_names(self) -> list[str]:
        assert self.shape is not None
        return [f"image_{place}" for place in range(self.shape.feature_count)]

    def open(self, file: pa.NativeFile, shard_uri: str) -> "TarShard":
        """Raises: BadDataError."""
        self._require_fields()
        samples = _samples(file, shard_uri, CLASS_TARGET if self.target == CLASS_TARGET else "json")
        if not samples:
            raise BadDataError(f"shard {shard_uri} has no samples", "leave empty shards out of the data set")
        shard = TarShard(file, shard_uri, self, samples)
        if self.shape is None:
            self.shape, _ = shard.read_image(samples[0])
            self.label_type = type(shard.read_label(samples[0]))
        return shard

    def _require_fields(self) -> None:
        for name in self.slices:
            if self.target == CLASS_TARGET:
                raise BadDataError(
                    f"slice column {name!r} is not in the data set: .cls holds the label alone",
                    "write label and slices as fields of .json, and name the label's as dataset.target",
                )
            if name == self.target:
                raise BadDataError(
                    f"slice column {name!r} is the target", "use class_guardrail for the recall of classes"
                )


@dataclass(frozen=True)
class TarShard:
    """An open shard with the list of its samples, in the archive's order."""

    file: pa.NativeFile
    uri: str
    format: TarFormat
    samples: list[tuple[Member, Member]] = field(repr=False)

    @property
    def unit_sizes(self) -> list[int]:
        starts = range(0, len(self.samples), self._unit_rows)
        return [min(self._unit_rows, len(self.samples) - start) for start in starts]

    def blocks(self, unit: int, row_ids: range, wanted: np.ndarray, with_slices: bool = False) -> Iterator[Block]:
        first = unit * self._unit_rows
        ids = np.flatnonzero(wanted)
        if not len(ids):
            return
        samples = [self.samples[first + position] for position in ids.tolist()]
        features = np.stack([self._pixels(sample) for sample in samples]).astype(np.float64)
        labels = np.array([self._typed_label(sample) for sample in samples])
        slices = self._slice_codes(samples) if with_slices and self.format.slices else ()
        yield Block(row_ids.start + ids, features, labels, slices)

    def close(self) -> None:
        self.file.close()

    def read_image(self, sample: tuple[Member, Member]) -> tuple[ImageShape, np.ndarray]:
        member = sample[0]
        return decode_image(self._read(member), self._name(member))

    def read_label(self, sample: tuple[Member, Member]) -> Label:
        member = sample[1]
        if member.size_bytes > MOST_LABEL_BYTES:
            raise BadDataError(f"{self._name(member)} has {member.size_bytes} bytes", "labels are short")
        body = self._read(member)
        try:
            label = int(body) if self.format.target == CLASS_TARGET else json.loads(body)[self.format.target]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadDataError(
                f"{self._name(member)} holds no label {self.format.target!r}: {type(error).__name__} {error}",
                "write an integer as .cls, or an object with the target's field as .json",
            ) from error
        return _checked(label, self._name(member))

    def _slice_codes(self, samples: list[tuple[Member, Member]]) -> tuple[SliceCodes, ...]:
        """Raises: BadDataError naming the member."""
        documents = [(json.loads(self._read(member)), self._name(member)) for _, member in samples]
        coded = []
        for column in self.format.slices:
            numbers: dict[str | None, int] = {}
            codes = [
                numbers.setdefault(_slice_of(document, column, name), len(numbers)) for document, name in documents
            ]
            coded.append(SliceCodes(list(numbers), np.array(codes)))
        return tuple(coded)

    @property
    def _unit_rows(self) -> int:
        assert self.format.shape is not None
        return rows_per_block(self.format.shape.feature_count)

    def _pixels(self, sample: tuple[Member, Member]) -> np.ndarray:
        shape, pixels = self.read_image(sample)
        if shape != self.format.shape:
            raise BadDataError(
                f"{self._name(sample[0])} is {shape}, the first image is {self.format.shape}",
                "scale every image of a data set to the same size and colours",
            )
        return pixels

    def _typed_label(self, sample: tuple[Member, Member]) -> Label:
        label = self.read_label(sample)
        if type(label) is not self.format.label_type:
            assert self.format.label_type is not None
            raise BadDataError(
                f"{self._name(sample[1])} holds a {type(label).__name__}, the first label is a "
                f"{self.format.label_type.__name__}",
                "write every label of a data set with the same type",
            )
        return label

    def _read(self, member: Member) -> bytes:
        self.file.seek(member.offset)
        body: bytes = self.file.read(member.size_bytes)
        if len(body) != member.size_bytes:
            raise BadDataError(f"{self._name(member)} is cut short", "write the shard again")
        return body

    def _name(self, member: Member) -> str:
        return f"member {member.name!r} of shard {self.uri}"


def _samples(file: pa.NativeFile, shard_uri: str, label_ending: str) -> list[tuple[Member, Member]]:
    """(image, label) of each sample, in the order in which samples begin."""
    samples: dict[str, Sample] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    raise BadDataError(
                        f"member {entry.name!r} of shard {shard_uri} is no plain file", "put plain files into it"
                    )
                _place(samples, entry, shard_uri, label_ending)
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise BadDataError(f"shard {shard_uri} is not readable as tar: {error}", "write the shard again") from error
    return [_complete(key, sample, shard_uri, label_ending) for key, sample in samples.items()]


def _place(samples: dict[str, Sample], entry: tarfile.TarInfo, shard_uri: str, label_ending: str) -> None:
    folder, _, name = entry.name.rpartition("/")
    stem, _, ending = name.partition(".")
    role = "image" if ending.lower() in IMAGE_ENDINGS else "label" if ending == label_ending else None
    if role is None:
        return
    sample = samples.setdefault(f"{folder}/{stem}", Sample())
    if getattr(sample, role) is not None:
        raise BadDataError(
            f"member {entry.name!r} of shard {shard_uri} is a second {role} of its sample", "keep one of the two"
        )
    setattr(sample, role, Member(entry.name, entry.offset_data, entry.size))


def _complete(key: str, sample: Sample, shard_uri: str, label_ending: str) -> tuple[Member, Member]:
    if sample.image is None or sample.label is None:
        missing = "image" if sample.image is None else f"{key.lstrip('/')}.{label_ending}"
        raise BadDataError(
            f"sample {key.lstrip('/')!r} of shard {shard_uri} has no {missing}", "write image and label of each sample"
        )
    return sample.image, sample.label


def _slice_of(document: dict[str, object], column: str, name: str) -> str | None:
    """Raises: BadDataError for a field that is not there, or names no group of samples."""
    if column not in document:
        raise BadDataError(
            f"{name} has no field {column!r}, a slice column", "give every sample the field, null where it is not known"
        )
    value = document[column]
    if value is not None and not isinstance(value, bool | int | str):
        raise BadDataError(
            f"{name} holds {type(value).__name__} as {column!r}, a slice column",
            "store what names a group of samples as a string, an integer, a boolean or null",
        )
    named = slice_name(value)
    if problem := name_problem(named):
        raise BadDataError(
            f"{name} holds {problem} as {column!r}, a slice column",
            "store short names of groups of samples",
        )
    return named


def _checked(label: object, name: str) -> Label:
    """Raises: BadDataError for what is no label, or does not fit int64 or float32."""
    mend = "store the target as an integer, a float, a string or a boolean"
    if not isinstance(label, bool | int | float | str):
        raise BadDataError(f"{name} holds {type(label).__name__} as its label", mend)
    if isinstance(label, int) and not INT64.min <= label <= INT64.max:
        raise BadDataError(f"{name} holds {label}, which does not fit int64", "store such labels as strings")
    if isinstance(label, float) and not abs(label) <= float(np.finfo(np.float32).max):
        raise BadDataError(f"{name} holds {label}, no finite float32", mend)
    return label
