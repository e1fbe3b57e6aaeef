"""What a proof found wrong, in the words that a person needs to mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, or with `is_note` one that `--verbose` tells besides.

    `state` says where in the file: a machine's state, empty for all of it, or a role and its statement's Sid.
    Lines begin at 1.
    """

    file: str
    line: int
    state: str
    rule: str
    what: str
    why: str
    mend: str
    is_note: bool = False

    def as_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return {key: value for key, value in asdict(self).items() if key != "is_note"}
