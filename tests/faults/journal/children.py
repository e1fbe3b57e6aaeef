"""A Distributed Map's children: each goes on where it was, and sends its messages once."""

from __future__ import annotations

import json
import random

from tests.faults.journal.executions import ended, send
from tests.faults.journal.promises import (
    Client,
    Outage,
    Promise,
    Queue,
    machine_arn,
    make_machine,
    require,
    require_all,
)

_ITEMS = '{% [1..3].($states.context.Execution.Name & "/" & $string($)) %}'


class Children(Promise):
    """Three children an execution, each of which sends a message, waits, and sends another one."""

    is_lasting = False
    machine = "children"

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._queue = Queue("children", tag)
        self._started: list[str] = []

    def prepare(self, client: Client) -> None:
        url = self._queue.make(client)
        first = send(url, '{% $states.input & "/first" %}') | {"Output": "{% $states.input %}", "Next": "Rest"}
        del first["End"]
        states = {
            "First": first,
            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Second"},
            "Second": send(url, '{% $states.input & "/second" %}') | {"Output": "{% $states.input %}"},
        }
        config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        processor = {"ProcessorConfig": config, "StartAt": "First", "States": states}
        make_machine(
            client, self.machine, {"Fan": {"Type": "Map", "Items": _ITEMS, "ItemProcessor": processor, "End": True}}
        )

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        client("stepfunctions").start_execution(stateMachineArn=machine_arn(self.machine), name=name, input="{}")
        self._started.append(name)

    def verify(self, client: Client, outage: Outage) -> None:
        listed = ended(client, self.machine, self.tag)
        require_all(self._started, [one["name"] for one in listed], "executions with children")
        for one in listed:
            shown = client("stepfunctions").describe_execution(executionArn=one["executionArn"])
            items = [f"{one['name']}/{number}" for number in (1, 2, 3)]
            outcome = (shown["status"], json.loads(shown.get("output", "null")))
            require(outcome == ("SUCCEEDED", items), f"children of {one['name']}: {outcome}")
        sent = [
            f"{one['name']}/{number}/{which}" for one in listed for number in (1, 2, 3) for which in ("first", "second")
        ]
        self._queue.expect(client, sent, "messages of children")
