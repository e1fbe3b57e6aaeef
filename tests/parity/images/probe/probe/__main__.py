"""What a container of the parity tests does: `python -m probe ACTION [ARGUMENT]`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

from probe.model import serve


def show() -> int:
    """Print what the container sees as one JSON line."""
    seen: dict[str, Any] = {
        "cwd": str(Path.cwd()),
        "environment": dict(os.environ),
        "path": sys.path,
        "cores": len(os.sched_getaffinity(0)),
        "writes_bytecode": not sys.dont_write_bytecode,
    }
    print(json.dumps(seen), flush=True)
    return 0


def show_and_meet(port: str) -> int:
    """Print what the container sees, meet at the main node's address, and see the cloud's API; the main node, whose
    end ends the others, waits until they have."""
    show()
    if os.environ["AWS_BATCH_JOB_NODE_INDEX"] == os.environ["AWS_BATCH_JOB_MAIN_NODE_INDEX"]:
        with socket.create_server(("0.0.0.0", int(port))) as listener:
            print(listener.accept()[0].recv(100).decode(), flush=True)
        return 0
    address = (os.environ["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"], int(port))
    mine = hosts_of_this_job()
    while True:
        try:
            with socket.create_connection(address) as main:
                main.sendall(f"from {main.getsockname()[0]}, one of {len(mine)}".encode())
            return 0
        except ConnectionRefusedError:
            time.sleep(0.02)


def hosts_of_this_job() -> list[Any]:
    """Ask the cloud, with the keys that the container has."""
    wanted = AWSRequest("GET", f"{os.environ['AWS_ENDPOINT_URL']}/_local/batch/hosts")
    SigV4Auth(Session().get_credentials(), "turbine", "local").add_auth(wanted)
    with urllib.request.urlopen(urllib.request.Request(wanted.url, headers=dict(wanted.headers))) as reply:
        return [one for one in json.load(reply)["hosts"] if one["jobId"] == os.environ["AWS_BATCH_JOB_ID"]]


def call_after(path: str) -> int:
    """Wait until there is a file `path`; then ask the cloud for this job's hosts and print how many there are."""
    print("waiting", flush=True)
    while not Path(path).exists():
        time.sleep(0.02)
    print(f"{len(hosts_of_this_job())} hosts", flush=True)
    return 0


def wait(seconds: str) -> int:
    """Stay for a while; on SIGTERM say so and exit 75, as a job that wrote a checkpoint does."""

    def leave(*_: object) -> None:
        print("asked to stop", flush=True)
        sys.exit(75)

    signal.signal(signal.SIGTERM, leave)
    print("waiting", flush=True)
    time.sleep(float(seconds))
    return 0


def count(path: str) -> int:
    """Count, in the log and at `path`, until there is a file `<path>.stop`, and exit with the code in that.

    Each start is noted in `<path>.starts`, by process id.
    """
    with Path(f"{path}.starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    number, stop = 0, Path(f"{path}.stop")
    while not stop.exists():
        print(number, flush=True)
        number += 1
        draft = Path(f"{path}.count")
        draft.write_text(str(number))
        draft.rename(path)
        time.sleep(0.005)
    return int(stop.read_text())


def ignore_sigterm() -> int:
    """Stay, whoever asks to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("staying", flush=True)
    time.sleep(600)
    return 0


def survive() -> int:
    """Start a process in a session of its own, as torch does with its workers, and say which; then stay."""
    left = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
    print(left.pid, flush=True)
    time.sleep(600)
    return 0


def eat(mebibytes: str) -> int:
    """Take so much memory, say so, and give it back."""
    held = bytearray(int(mebibytes) * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(1.5)
    print(f"held {len(held)}", flush=True)
    return 0


def eat_after(path: str, mebibytes: str) -> int:
    """Wait until there is a file `path`; then eat."""
    print("waiting", flush=True)
    while not Path(path).exists():
        time.sleep(0.02)
    return eat(mebibytes)


def feed_child(mebibytes: str) -> int:
    """Let a process of its own take so much memory, and exit with what became of it, as a launcher of workers does."""
    program = (
        f"held = bytearray({mebibytes} * 2**20); held[::4096] = b'x' * len(held[::4096]); import time; time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-S", "-c", program], start_new_session=True)
    code = child.wait()
    print(f"child {code}", flush=True)
    return 1 if code else 0


def outlive_child() -> int:
    """A node that is not the main one dies at once; the main one ends a while later."""
    if os.environ["AWS_BATCH_JOB_NODE_INDEX"] != os.environ["AWS_BATCH_JOB_MAIN_NODE_INDEX"]:
        return 9
    time.sleep(0.8)
    return 0


def hear_child(port: str) -> int:
    """The main node: 0 if the line to the other node ends, 3 if it falls silent for 2 s."""
    if os.environ["AWS_BATCH_JOB_NODE_INDEX"] != os.environ["AWS_BATCH_JOB_MAIN_NODE_INDEX"]:
        address = (os.environ["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"], int(port))
        while True:
            try:
                with socket.create_connection(address) as main:
                    while True:
                        main.sendall(b".")
                        time.sleep(0.05)
            except ConnectionRefusedError:
                time.sleep(0.02)
    with socket.create_server(("0.0.0.0", int(port))) as listener:
        child = listener.accept()[0]
        print("heard", flush=True)
        child.settimeout(2)
        try:
            while child.recv(100):
                pass
        except TimeoutError:
            return 3
        return 0


def heed_notice() -> int:
    """Wait for a Spot interruption's notice in the instance's metadata, print it, and exit 75; 0 when tried again."""
    if os.environ["AWS_BATCH_JOB_ATTEMPT"] != "1":
        return 0
    endpoint = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    asked = urllib.request.Request(
        f"{endpoint}/latest/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    )
    with urllib.request.urlopen(asked) as reply:
        token = reply.read().decode()
    wanted = urllib.request.Request(
        f"{endpoint}/latest/meta-data/spot/instance-action", headers={"X-aws-ec2-metadata-token": token}
    )
    print("waiting", flush=True)
    while True:
        try:
            with urllib.request.urlopen(wanted) as reply:
                print(reply.read().decode(), flush=True)
                return 75
        except OSError as error:
            # None yet; or nobody there, as while the cloud is started again.
            assert getattr(error, "code", 404) == 404
            time.sleep(0.05)


def succeed_at(attempt: str) -> int:
    """Exit 7 until the named attempt."""
    return 0 if os.environ["AWS_BATCH_JOB_ATTEMPT"] == attempt else 7


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    actions = {
        "show": show,
        "show-and-meet": show_and_meet,
        "wait": wait,
        "count": count,
        "call-after": call_after,
        "succeed-at": succeed_at,
        "ignore-sigterm": ignore_sigterm,
        "survive": survive,
        "eat": eat,
        "eat-after": eat_after,
        "feed-child": feed_child,
        "outlive-child": outlive_child,
        "hear-child": hear_child,
        "heed-notice": heed_notice,
    }
    if name == "exit":
        sys.exit(int(arguments[0]))
    if name == "serve":
        serve()
    sys.exit(actions[name](*arguments))
