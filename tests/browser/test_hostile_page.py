"""A page of another origin, in a real browser, starts no run and no function; without the defences it would."""

from __future__ import annotations

import datetime
import io
import json
import os
import shutil
import signal
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.parity.conftest import client_maker, running_cloud

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
LIMIT_S = 120
DEFENCES = ("gatekeeper", "signatures", "cors")
HANDLER = 'def handler(event, context):\n    return "started"\n'

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here: `make browser` installs Debian's")


@dataclass
class Target:
    """A cloud with a state machine that somebody could start, and a function that somebody's event would start."""

    endpoint: str
    client: Any
    machine: str = ""
    function: str = "victim"
    read_by_the_page: list[str] = field(default_factory=list)

    def executions(self) -> int:
        """How many executions there are."""
        return len(self.client("stepfunctions").list_executions(stateMachineArn=self.machine)["executions"])

    def invocations(self) -> int:
        """How often the function has run."""
        logs, group = self.client("logs"), f"/aws/lambda/{self.function}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return 0
        lines = logs.filter_log_events(logGroupName=group)["events"]
        return sum(line["message"].startswith("REPORT ") for line in lines)

    def start_with_the_keys(self) -> None:
        """What the page wanted to do, in the same order."""
        self.client("stepfunctions").start_execution(stateMachineArn=self.machine, input="{}")
        event = {"Source": "somebody", "DetailType": "Asked", "Detail": "{}"}
        self.client("events").put_events(Entries=[event])


def target_in(cloud: dict[str, Any]) -> Target:
    client = client_maker(cloud)
    role = client("iam").create_role(RoleName="victim", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("app.py", HANDLER)
    function = client("lambda").create_function(
        FunctionName="victim",
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    client("events").put_rule(Name="victim", EventPattern=json.dumps({"source": ["somebody"]}))
    client("events").put_targets(Rule="victim", Targets=[{"Id": "function", "Arn": function["FunctionArn"]}])
    machine = client("stepfunctions").create_state_machine(
        name="victim", roleArn=role, definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    )
    return Target(cloud["endpoint"], client, machine["stateMachineArn"])


class _Site(BaseHTTPRequestHandler):
    """The hostile site: its page, and where the page says that it is done."""

    page: bytes
    told: list[Any]
    is_done: threading.Event

    def do_GET(self) -> None:
        self._answer(self.page if self.path == "/" else b"")

    def do_POST(self) -> None:
        self.told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(b"")
        self.is_done.set()

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def site(page: str) -> Iterator[tuple[int, list[Any], threading.Event]]:
    told, is_done = list[Any](), threading.Event()
    handler = type("Site", (_Site,), {"page": page.encode(), "told": told, "is_done": is_done})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    yield server.server_port, told, is_done
    server.shutdown()
    thread.join()
    server.server_close()


def visit(target: Target, profile: Path) -> None:
    """Open the hostile page in Chromium, and wait until it has tried everything."""
    page = (Path(__file__).with_name("page.html")).read_text()
    today = f"{datetime.datetime.now(datetime.UTC):%Y%m%d}"
    for name, value in {
        "CLOUD": target.endpoint, "FUNCTION": target.function, "MACHINE": target.machine, "DATE": today
    }.items():  # fmt: skip
        page = page.replace(name, value)
    with site(page) as (port, told, is_done):
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        command += ["--disable-background-networking", "--host-resolver-rules=MAP *.example 127.0.0.1"]
        command += [f"--user-data-dir={profile}", f"http://evil.example:{port}/"]
        with (profile.parent / "chromium.log").open("wb") as log:
            browser = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            finished = is_done.wait(LIMIT_S)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    assert finished, (profile.parent / "chromium.log").read_text()[-3000:]
    target.read_by_the_page = told


def test_a_page_of_another_origin_starts_and_reads_nothing(tmp_path: Path, wait_until: Any) -> None:
    with running_cloud(tmp_path) as (_, cloud):
        target = target_in(cloud)
        visit(target, tmp_path / "profile")
        # An opaque answer is one that the page must not look into.
        assert [line for line in target.read_by_the_page if not line.endswith(": opaque 0 ")] == []
        target.start_with_the_keys()
        wait_until(target.invocations)
        assert (target.executions(), target.invocations()) == (1, 1), "the one with the keys, and none of the page"


@pytest.mark.parametrize("left", DEFENCES)
def test_each_defence_holds_alone(tmp_path: Path, wait_until: Any, left: str) -> None:
    missing = ",".join(one for one in DEFENCES if one != left)
    with running_cloud(tmp_path, module=("tests.browser.unguarded", missing)) as (_, cloud):
        target = target_in(cloud)
        visit(target, tmp_path / "profile")
        target.start_with_the_keys()
        wait_until(target.invocations)
        assert (target.executions(), target.invocations()) == (1, 1)


def test_without_the_defences_the_page_would_start_both(tmp_path: Path, wait_until: Any) -> None:
    with running_cloud(tmp_path, module=("tests.browser.unguarded", ",".join(DEFENCES))) as (_, cloud):
        target = target_in(cloud)
        visit(target, tmp_path / "profile")
        assert target.executions() > 0
        wait_until(target.invocations)
