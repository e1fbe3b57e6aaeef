"""What a worker says of its end to its launcher, in a small file: for the one `failed` line of the job.

When one worker fails, the others fail in the collective that they wait in, and may say so later than it. So a worker
says whether its failure follows from another's, and when it came; its launcher finds the one that is the cause.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VARIABLE = "TURBINE_LAST_WORDS"
# They go from node to node as one line of `peers`, in which a letter may take 12 bytes, and a message may quote a
# library's whole error.
LONGEST_TEXT = 2_500


@dataclass(frozen=True)
class LastWords:
    """As in the `failed` line. `follows`: the failure is what another's left behind; `at` is the time of day, in s."""

    error: str
    message: str
    mend: str
    exit_code: int
    rank: int
    follows: bool
    at: float

    @classmethod
    def parse(cls, fields: Any) -> "LastWords | None":
        """None for whatever are none."""
        try:
            return cls(**fields)
        except TypeError:
            return None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"message": self.message[:LONGEST_TEXT], "mend": self.mend[:LONGEST_TEXT]}


def leave(words: LastWords) -> None:
    """For the launcher that started this process."""
    path = Path(os.environ[VARIABLE])
    unfinished = path.with_suffix(".unfinished")
    with suppress(OSError):  # a full disk: the words are in the log, and the exit code says the rest
        unfinished.write_text(json.dumps(words.as_json()))
        unfinished.rename(path)


def find(path: Path) -> LastWords | None:
    """None while there are none."""
    try:
        return LastWords.parse(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return None


def most_telling_words(all_words: Iterable[LastWords]) -> LastWords | None:
    """Of workers that ended with one code: the first that does not follow from another's failure."""
    return min(all_words, key=lambda words: (words.follows, words.at), default=None)
