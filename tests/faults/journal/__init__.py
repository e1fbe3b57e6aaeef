"""Clients that write down what they were answered, and afterwards look whether all of it is there."""

from __future__ import annotations

import random
from collections import Counter

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.faults.journal.children import Children
from tests.faults.journal.executions import Calls, Drops, Executions, Jobs
from tests.faults.journal.messages import Mailbox, Schedules, Topic
from tests.faults.journal.promises import Client, NotThereError, Outage, Promise, require
from tests.faults.journal.records import Alarms, LogLines, Metrics, Packages, Roles
from tests.faults.journal.stacks import Stacks
from tests.faults.journal.storage import Counters, Items, Objects

__all__ = ["Client", "Journal", "NotThereError", "Outage", "Writer"]

PROMISES: dict[type[Promise], int] = {
    Objects: 4,
    Items: 4,
    Counters: 4,
    Metrics: 3,
    Alarms: 2,
    LogLines: 3,
    Packages: 2,
    Roles: 2,
    Mailbox: 4,
    Topic: 3,
    Drops: 3,
    Executions: 2,
    Schedules: 1,
    Stacks: 2,
    Calls: 1,
    Children: 1,
    Jobs: 1,
}
"""Each kind of operation, and how often it is drawn in proportion."""


class Journal:
    """All promises of one round. `answered` counts operations by kind, `refused` holds what no client should see."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.promises: list[Promise] = [kind(tag) for kind in PROMISES]
        self.answered: Counter[str] = Counter()
        self.refused: list[str] = []

    def prepare(self, client: Client) -> None:
        """What all operations need. Once a state directory."""
        for promise in self.promises:
            promise.prepare(client)

    def verify(self, client: Client, outage: Outage) -> None:
        """Raises: NotThereError."""
        require(not self.refused, "; ".join(self.refused))
        self._verify(self.promises, client, outage)
        require(self.in_flight > 0, "no execution was in flight: the round proves nothing")

    def verify_again(self, client: Client, outage: Outage) -> None:
        """What later rounds must have left as it was. Raises: NotThereError."""
        self._verify([promise for promise in self.promises if promise.is_lasting], client, outage)

    @staticmethod
    def _verify(promises: list[Promise], client: Client, outage: Outage) -> None:
        for promise in promises:
            try:
                promise.verify(client, outage)
            except (ClientError, BotoCoreError) as error:
                raise NotThereError(f"{type(promise).__name__} cannot be read: {error}") from error

    @property
    def in_flight(self) -> int:
        """How many executions ran at the kill; known once they are verified."""
        return sum(promise.in_flight for promise in self.promises if isinstance(promise, Executions))


class Writer:
    """One client that does one random operation after another until the cloud is gone."""

    def __init__(self, client: Client, journal: Journal, number: int) -> None:
        self._client, self._journal, self._name = client, journal, f"{journal.tag}-{number}"
        self._dice = random.Random(self._name)
        self._count = 0

    def work(self) -> None:
        """Until a connection breaks."""
        weights = list(PROMISES.values())
        while self.does(self._dice.choices(self._journal.promises, weights)[0]):
            pass

    def does(self, promise: Promise) -> bool:
        """One operation; False when the cloud is gone."""
        self._count += 1
        kind = type(promise).__name__
        try:
            promise.do(self._client, f"{self._name}-{self._count}", self._dice)
        except (BotoCoreError, ResponseParserError, KeyError):
            # The connection broke, maybe within an answer, which botocore then takes for an empty one.
            return False
        except ClientError as error:
            self._journal.refused.append(f"{kind}: {error}")
            return False
        self._journal.answered[kind] += 1
        return True

    def executions(self) -> Promise:
        """The one kind of which something must be in flight."""
        return next(promise for promise in self._journal.promises if isinstance(promise, Executions))
