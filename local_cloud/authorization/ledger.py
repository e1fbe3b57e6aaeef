"""What was asked for and by which statement it was allowed: `access.jsonl` in the state directory, strict mode only.

One line for each principal, action and statement, with the first resource asked for. From it the IAM proof's table is
checked against what really happened, and a person sees which of a role's statements were used.
"""

from __future__ import annotations

import json
import logging
import threading

from local_cloud import settings
from local_cloud.authorization.access import Access
from local_cloud.authorization.policies import Statement
from local_cloud.authorization.principals import Principal, role_arn_of

FILE = "access.jsonl"
_LOG = logging.getLogger("local_cloud.authorization")
_lock = threading.Lock()
_noted: set[tuple[str, str, str]] = set()


def note(principal: Principal, access: Access, by: Statement) -> None:
    """An access that was allowed."""
    _write(principal, access, by.sid or "(no Sid)", denied=None)


def note_denied(principal: Principal, access: Access, message: str) -> None:
    """An access that was not."""
    _LOG.warning("denied: %s", message)
    _write(principal, access, "", denied=message)


def _write(principal: Principal, access: Access, sid: str, denied: str | None) -> None:
    who = role_arn_of(principal)
    key = (who, access.action, sid)
    line = json.dumps(
        {"who": who, "action": access.action, "resource": access.resource, "sid": sid or None, "denied": denied}
    )
    with _lock:
        if key in _noted and denied is None:
            return
        _noted.add(key)
        with (settings.current().state_dir / FILE).open("a") as file:
            file.write(f"{line}\n")
