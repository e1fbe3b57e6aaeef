"""A checkpoint's name, and the marker that completes it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

STATE_FILE = "state.safetensors"
MARKER_FILE = "_COMPLETE"

_NAME = re.compile(r"(\d{8})-(\d{12})")


class CheckpointId(NamedTuple):
    """Ordered by age: what a later holder of the lease saved is newer, whatever its step."""

    fencing: int
    step: int

    @property
    def name(self) -> str:
        return f"{self.fencing:08d}-{self.step:012d}"

    @classmethod
    def parse(cls, name: str) -> "CheckpointId | None":
        match = _NAME.fullmatch(name)
        return cls(int(match[1]), int(match[2])) if match else None


class UnusableError(Exception):
    """A checkpoint that cannot be taken, and why."""


@dataclass(frozen=True)
class Marker:
    """What the finished state file must be, and of which run: written after it, so that it says the file is whole."""

    fencing: int
    step: int
    fingerprint: Mapping[str, str]
    sha256: str
    size_bytes: int

    def to_json(self) -> bytes:
        return json.dumps({"schema_version": 1} | asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes, checkpoint: CheckpointId) -> "Marker":
        """Raises: UnusableError when it is not the marker of `checkpoint`."""
        try:
            fields = json.loads(body)
            if fields.pop("schema_version") != 1:
                raise ValueError("its schema_version is not 1")
            marker = cls(**fields)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnusableError(f"its marker cannot be read ({error})") from error
        if (marker.fencing, marker.step) != checkpoint or not isinstance(marker.fingerprint, dict):
            raise UnusableError("its marker is another checkpoint's")
        return marker


def superseded(found: Mapping[CheckpointId, bool], committed: CheckpointId, keep: int) -> list[CheckpointId]:
    """What may go now that `committed` is complete, oldest first. `found` says which are complete.

    Of those up to `committed` the newest `keep` complete ones stay. What is newer, so of a later holder of the lease,
    is not ours to judge, complete or not.
    """
    complete = sorted(
        checkpoint for checkpoint, is_complete in found.items() if is_complete and checkpoint <= committed
    )
    kept = set(complete[-keep:])
    return sorted(checkpoint for checkpoint in found if checkpoint < committed and checkpoint not in kept)
