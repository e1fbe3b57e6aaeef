"""torch's store, where the workers leave each other their addresses: hosted by the main node's launcher.

Hosted by a worker, as without a launcher, it would listen on every address of the host. Whoever reaches it may write
to it, so it listens on the one address only that the workers come to.
"""

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed import TCPStore


def load_torch() -> None:
    """Import what `host_store` needs, which takes seconds, before anybody counts how long this node is silent."""
    import torch.distributed  # noqa: F401


def host_store(listener: socket.socket) -> "TCPStore":
    """Serve at `listener` for as long as the result lives; it takes the socket over."""
    import torch.distributed

    address, port = listener.getsockname()
    return torch.distributed.TCPStore(
        address, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
    )
