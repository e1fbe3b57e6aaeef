"""torch's store in the launcher."""

import socket
from datetime import timedelta

import torch.distributed as dist

from training.launch.store import host_store


def test_workers_meet_at_the_one_address_it_listens_on() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    store = host_store(listener)
    client = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=timedelta(seconds=30))
    client.set("greeting", "hello")
    assert store.get("greeting") == b"hello"
    with socket.create_server(("127.0.0.2", port)):
        pass  # on every address, as torch has it by itself, this one would be taken
