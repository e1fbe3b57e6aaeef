"""An embedded cloud without some of its defences: what the browser test must catch.

`python -m tests.browser.unguarded gatekeeper,signatures,cors …` takes away those that are named; then as `local_cloud`.
What refuses operations by name is always away: it stops much of a page's mischief, and is not there for that.
"""

from __future__ import annotations

import sys

from local_cloud import server
from local_cloud.services import accounts

_GATES = {"gatekeeper": "guarded", "signatures": "signed"}


def main() -> None:
    """Take the named defences away, then serve."""
    _let_through("named")
    for name in sys.argv[1].split(","):
        if name == "cors":
            accounts.REPLACEMENTS[:] = [one for one in accounts.REPLACEMENTS if "CORS" not in one.target]
        else:
            _let_through(_GATES[name])
    server.main(sys.argv[2:])


def _let_through(gate: str) -> None:
    setattr(server, gate, lambda application: application)


if __name__ == "__main__":
    main()
