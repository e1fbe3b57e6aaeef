"""What every kind of operation has: what clients were answered, and what must hold because of it."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

Client = Callable[..., Any]
ROLE = "arn:aws:iam::123456789012:role/any"
LIMIT_S = 90.0
"""In which everything that was under way is through after a start; generous, for busy machines."""


class NotThereError(AssertionError):
    """Something that was answered is lost, there twice, or torn."""


@dataclass(frozen=True)
class Outage:
    """When the cloud was killed, how often, and when it was back. Moments: seconds since 1970."""

    killed_at: float
    back_at: float
    kills: int


class Promise:
    """One kind of operation in one round. Names of things begin with the round's `tag` and are used once.

    An answer makes an operation certain. A connection that broke leaves it open: it happened or not, but wholly
    either way. So an operation is noted as open before it is sent, and as answered after.
    """

    is_lasting = True
    """Whether it may be verified again after later rounds."""

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def prepare(self, client: Client) -> None:
        """What the operations need. Once a state directory."""

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        """One operation."""
        raise NotImplementedError

    def verify(self, client: Client, outage: Outage) -> None:
        """Raises: NotThereError naming what is lost, twice or torn."""
        raise NotImplementedError


def require(holds: bool, what: str) -> None:
    """Raises: NotThereError."""
    if not holds:
        raise NotThereError(what)


def require_all(wanted: Iterable[str], found: Iterable[str], what: str) -> None:
    """Raises: NotThereError with what is missing."""
    missing = sorted(set(wanted) - set(found))
    require(not missing, f"{what} lost: {missing[:5]} of {len(missing)}")


def require_once(found: Iterable[str], what: str) -> None:
    """Raises: NotThereError with what is there twice."""
    twice = sorted(name for name, count in Counter(found).items() if count > 1)
    require(not twice, f"{what} twice: {twice[:5]} of {len(twice)}")


def awaited(look: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """The first truthy answer of `look`. Raises: NotThereError."""
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        require(time.monotonic() < deadline, f"within {limit_s:.0f} s not: {what}")
        time.sleep(0.05)
    return found


def pages(client: Any, operation: str, key: str, **given: Any) -> list[Any]:
    """All pages of a list."""
    return [item for page in client.get_paginator(operation).paginate(**given) for item in page.get(key, [])]


def is_there(look: Callable[..., Any], **named: Any) -> bool:
    """Whether a thing can be described."""
    try:
        look(**named)
    except ClientError:
        return False
    return True


class Queue:
    """A queue of this state directory, in which effects leave a message each."""

    def __init__(self, name: str, tag: str) -> None:
        self._name, self._tag = name, tag
        self.bodies: list[str] = []

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:us-east-1:123456789012:{self._name}"

    def make(self, client: Client) -> str:
        return str(client("sqs").create_queue(QueueName=self._name, Attributes={"VisibilityTimeout": "1"})["QueueUrl"])

    def url(self, client: Client) -> str:
        return str(client("sqs").get_queue_url(QueueName=self._name)["QueueUrl"])

    def drain(self, client: Client) -> None:
        """What there is now, which is taken away. Raises: NotThereError for what an earlier round has had."""
        sqs, url = client("sqs"), self.url(client)
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.bodies.append(str(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        others = [body for body in self.bodies if not body.startswith(self._tag)]
        require(not others, f"queue {self._name} has again what an earlier round has had: {others[:5]}")

    def expect(self, client: Client, wanted: Iterable[str], what: str) -> None:
        """Drain until all of it has come. Raises: NotThereError when it does not, or comes twice."""
        names = set(wanted)

        def is_complete() -> bool:
            self.drain(client)
            return names <= set(self.bodies)

        try:
            awaited(is_complete, what)
        except NotThereError as error:
            require_all(names, self.bodies, what)
            raise error
        require_once(self.bodies, what)


def make_machine(client: Client, name: str, states: dict[str, Any]) -> None:
    """A state machine of these states, the first one first."""
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    client("stepfunctions").create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)


def machine_arn(name: str) -> str:
    return f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
