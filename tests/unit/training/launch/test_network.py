"""The host's own interfaces."""

import pytest

from training.launch.network import interface_of, interface_variables


def test_the_interface_of_an_address() -> None:
    assert interface_of("127.0.0.1") == "lo"


@pytest.mark.parametrize("address", ["203.0.113.9", "0.0.0.0"])
def test_an_address_of_nobody_here_has_none(address: str) -> None:
    assert interface_of(address) is None
    assert interface_variables(address) == {}
