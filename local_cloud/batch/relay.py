"""The cloud's own port inside other network namespaces, so that an endpoint on 127.0.0.1 means the cloud there too.

A thread may stand in another namespace than its process: one enters each namespace for as long as it takes to open a
listening socket, which stays there. What connects to it is copied to and from the cloud's port.

Source: https://man7.org/linux/man-pages/man2/setns.2.html
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_CHUNK_BYTES = 1 << 16


class Relay:
    """Listens on 127.0.0.1:`port` of each namespace until `close`."""

    def __init__(self, namespaces: Sequence[Path], port: int) -> None:
        self._port = port
        # Threads of their own: one that could not return to the cloud's namespace must never serve anything else.
        with ThreadPoolExecutor(1, thread_name_prefix="setns") as entered:
            self._listeners = [entered.submit(_listener, namespace, port).result() for namespace in namespaces]
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and cut what is still connected."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        servers = [await asyncio.start_server(self._join, sock=listener) for listener in self._listeners]
        await self._over.wait()
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy one direction to its end; a peer that went away ends it, as it would end a direct connection."""
    with contextlib.suppress(ConnectionError):
        try:
            while data := await source.read(_CHUNK_BYTES):
                target.write(data)
                await target.drain()
        finally:
            target.close()


def _listener(namespace: Path, port: int) -> socket.socket:
    """A socket that listens in `namespace`. Raises: OSError."""
    return _inside(namespace, lambda: socket.create_server(("127.0.0.1", port), backlog=128))


def _inside(namespace: Path, work: Callable[[], socket.socket]) -> socket.socket:
    with Path(f"/proc/self/task/{threading.get_native_id()}/ns/net").open() as home, namespace.open() as there:
        _enter(there.fileno())
        try:
            return work()
        finally:
            _enter(home.fileno())


def _enter(handle: int) -> None:
    """setns(2) of this thread; os.setns came with Python 3.12 only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
