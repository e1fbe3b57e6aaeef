"""Messages: a mailbox from which clients take, a topic that a queue listens to, and schedules that send one each."""

from __future__ import annotations

import datetime
import random
import time

from tests.faults.journal.promises import ROLE, Client, Outage, Promise, Queue, awaited, require

_TICK_S = 1.0


class Mailbox(Promise):
    """A sent message is there once until it is deleted, also one that somebody had received; then it never is again."""

    is_lasting = False

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._queue = Queue("mailbox", tag)
        self._sent: set[str] = set()
        self._deleted: set[str] = set()
        self._open_deletes: set[str] = set()

    def prepare(self, client: Client) -> None:
        self._queue.make(client)

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        sqs, url = client("sqs"), self._queue.url(client)
        if dice.random() < 0.6:
            sqs.send_message(QueueUrl=url, MessageBody=name)
            self._sent.add(name)
            return
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            if dice.random() < 0.7:  # else it comes back
                self._open_deletes.add(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                self._deleted.add(message["Body"])

    def verify(self, client: Client, outage: Outage) -> None:
        self._queue.expect(client, self._sent - self._open_deletes, "messages")
        back = self._deleted & set(self._queue.bodies)
        require(not back, f"messages that were deleted are back: {sorted(back)[:5]}")


class Topic(Promise):
    """What was published has reached the queue that listens, once."""

    is_lasting = False

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._queue = Queue("heard", tag)
        self._published: set[str] = set()

    def prepare(self, client: Client) -> None:
        self._queue.make(client)
        topic = client("sns").create_topic(Name="journal")["TopicArn"]
        client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=self._queue.arn, Attributes={"RawMessageDelivery": "true"}
        )

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        client("sns").publish(TopicArn="arn:aws:sns:us-east-1:123456789012:journal", Message=name)
        self._published.add(name)

    def verify(self, client: Client, outage: Outage) -> None:
        self._queue.expect(client, self._published, "published messages")


class Schedules(Promise):
    """A one-time schedule sends its message once, also when it was due while the cloud was down."""

    is_lasting = False

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._queue = Queue("due", tag)
        self._due: dict[str, int] = {}
        self._open: list[int] = []

    def prepare(self, client: Client) -> None:
        self._queue.make(client)

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        due = int(time.time()) + dice.randint(2, 4)
        self._open.append(due)
        client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression=f"at({datetime.datetime.fromtimestamp(due, datetime.UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={"Arn": self._queue.arn, "RoleArn": ROLE, "Input": name},
        )
        if time.time() < due:  # else it was made too late to be due
            self._due[name] = due

    def verify(self, client: Client, outage: Outage) -> None:
        last = max(self._open, default=0)  # those too whose answer was lost: else they come into the next round's queue
        awaited(lambda: time.time() > last + _TICK_S, "all schedules are due")
        self._queue.expect(client, self._due, "messages of schedules")
        left = client("scheduler").list_schedules(NamePrefix=self.tag)["Schedules"]
        undead = set(self._queue.bodies) & {schedule["Name"] for schedule in left}
        require(not undead, f"schedules that have sent are still there: {sorted(undead)[:5]}")
