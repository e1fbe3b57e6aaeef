"""What was asked for and by which statement it was allowed: `access.jsonl` in the state directory, strict mode only.

One line for each principal, action and statement, with the first resource asked for. `needed` says that without this
statement the request would have been denied: nothing else allowed it. From it the IAM proof's table is checked against
what really happened, and a person sees which of a role's statements were needed. And one line for each principal,
action and resource that was denied, with the first reason: what is denied is often tried again and again.
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
NO_SID = "(no Sid)"
_LOG = logging.getLogger("local_cloud.authorization")
_lock = threading.Lock()
_noted: set[tuple[str, str, str, bool | None]] = set()
"""Principal, action, statement and `needed`; of what was denied the resource, and None."""


def knows_need(principal: Principal, access: Access, by: Statement) -> bool:
    """Whether it is noted already that a principal needs a statement for an action."""
    with _lock:
        return (role_arn_of(principal), access.action, _name(by), True) in _noted


def note(principal: Principal, access: Access, by: Statement, is_needed: bool) -> None:
    """An access that was allowed. `is_needed`: by this statement alone."""
    _write(principal, access, _name(by), is_needed, denied=None)


def note_denied(principal: Principal, access: Access, message: str) -> None:
    """An access that was not."""
    _LOG.warning("denied: %s", message)
    _write(principal, access, "", is_needed=False, denied=message)


def _name(statement: Statement) -> str:
    return statement.sid or NO_SID


def _write(principal: Principal, access: Access, sid: str, is_needed: bool, denied: str | None) -> None:
    who = role_arn_of(principal)
    key = (who, access.action, sid, is_needed) if denied is None else (who, access.action, access.resource, None)
    told = {"who": who, "action": access.action, "resource": access.resource, "sid": sid or None}
    line = json.dumps({**told, "needed": is_needed, "denied": denied})
    with _lock:
        if key in _noted:
            return
        _noted.add(key)
        with (settings.current().state_dir / FILE).open("a") as file:
            file.write(f"{line}\n")
