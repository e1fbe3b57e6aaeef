"""Browser tests look at running clouds as the parity tests do."""

from tests.parity.conftest import wait_until

__all__ = ["wait_until"]
