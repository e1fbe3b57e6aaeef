"""What was accepted and is not delivered yet: the one place that must survive for no event to be lost.

Records are plain data, written in the transaction of the call that caused an event. What was on its way when the cloud
was killed is sent again at its next start, with the same intent: a target that had it does not take it twice.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from local_cloud import intents
from local_cloud.durability import commits
from local_cloud.durability.tracked import TrackedDict

SPACE = "outbox"


@dataclass
class Pending:
    """One payload on its way to one target.

    `source_arn` is the rule, schedule, alarm or bucket that sends, `target` its target as given to the API.
    `about` holds what a schedule's dead letter tells besides, and what its input may name: empty for other senders.
    `original` is the event that the payload was made of, if it is another: a dead letter holds that.
    `failure` is a code and a message when the payload could not even be made. `hops` counts the buses passed before.
    Units: moments are seconds since 1970.
    """

    source_arn: str
    target: dict[str, Any]
    payload: str
    account: str
    region: str
    event_id: str
    accepted_at: float
    due_at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    retries: int = 0
    subject: str | None = None
    original: str | None = None
    about: dict[str, str] = field(default_factory=dict)
    failure: tuple[str, str] | None = None
    hops: int = 0

    @property
    def arn(self) -> str:
        return str(self.target["Arn"])

    @property
    def sender(self) -> str:
        """Whose intent it is to send it."""
        return f"delivery/{self.id}"


class Outbox:
    """Records by their id."""

    def __init__(self) -> None:
        self.records: dict[str, Pending] = TrackedDict(space=SPACE)

    def add(self, record: Pending) -> None:
        """Keep a record, as it is now, until it is done."""
        self.records[record.id] = record

    def done(self, record: Pending) -> None:
        """Forget a record, and what its target answered: delivered, in the dead-letter queue, or dropped."""
        with commits.together():
            self.records.pop(record.id, None)
            intents.forget(record.sender)

    def pending(self) -> list[Pending]:
        """All records, the first due first."""
        return sorted(dict(self.records).values(), key=lambda record: record.due_at)


def answers() -> set[str]:
    """Where the answers of targets are written that may be asked for again."""
    return {intents.space_of(record.sender) for record in OUTBOX.pending()}


OUTBOX = Outbox()
"""The outbox of this process."""


def restore(records: dict[str, Pending]) -> None:
    """Put back what an earlier process had accepted."""
    OUTBOX.records = records
