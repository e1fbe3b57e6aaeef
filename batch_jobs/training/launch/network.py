"""Which network interface the workers speak through.

gloo takes the interface of the host's name and NCCL the first that looks fast; on a host with several (Docker's
bridge, a second card) nodes then offer each other addresses that do not lead there. The interface that the nodes
found each other through does lead there.
"""

import fcntl
import socket
import struct

_SIOCGIFADDR = 0x8915  # linux/sockios.h: the IPv4 address of the interface named in the first 16 bytes
_ADDRESS = slice(20, 24)


def interface_variables(address: str) -> dict[str, str]:
    """For gloo and NCCL, the interface that has `address`; nothing when the host does not say which.

    Source: https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html, https://docs.pytorch.org/docs/stable/distributed.html
    """
    name = interface_of(address)
    if name is None:
        return {}
    # Without the `=`, NCCL takes every interface whose name begins so: eth1 and eth10.
    return {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": f"={name}"}


def interface_of(address: str) -> str | None:
    """The interface whose own IPv4 address is `address`; None when there is none."""
    wanted = socket.inet_aton(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode())
            try:
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, request)
            except OSError:  # it has no IPv4 address
                continue
            if answer[_ADDRESS] == wanted:
                return name
    return None
