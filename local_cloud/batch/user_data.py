"""What a launch template's user data tells the ECS agent of a host, as far as it changes how a job is stopped.

User data is a shell script or a MIME archive of several parts, and writes `NAME=value` lines into /etc/ecs/ecs.config.
Nothing of it is run here: only the agent's own assignments are read, the last one wins.

Source: https://docs.aws.amazon.com/batch/latest/userguide/launch-templates.html and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html
"""

from __future__ import annotations

import base64
import binascii
import email
import re

DEFAULT_STOP_TIMEOUT_S = 30.0
LONGEST_STOP_TIMEOUT_S = 600.0
"""No agent waits for ever here: a job that ignores SIGTERM must not hold this machine."""

_STOP_TIMEOUT = re.compile(r"^[^#\n]*\bECS_CONTAINER_STOP_TIMEOUT=[\"']?([\dhms.]+)", re.MULTILINE)
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def stop_timeout_s(encoded: str | None) -> float:
    """How long the agent lets a container live after SIGTERM, of user data in base64.

    The agent takes Go's durations (`110s`, `1m50s`) of at least a second, and falls back to 30 s for anything else.
    """
    found = _STOP_TIMEOUT.findall(_text(encoded or ""))
    seconds = _duration_s(found[-1]) if found else None
    if seconds is None or seconds < 1:
        return DEFAULT_STOP_TIMEOUT_S
    return min(seconds, LONGEST_STOP_TIMEOUT_S)


def _text(encoded: str) -> str:
    """All text parts, one after the other. Raises: ValueError if it is not base64."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the launch template's user data is not base64: {error}") from error
    message = email.message_from_bytes(raw)
    if not message.is_multipart():
        return raw.decode("utf-8", "replace")
    parts = (part.get_payload(decode=True) for part in message.walk() if not part.is_multipart())
    return "\n".join(part.decode("utf-8", "replace") for part in parts if isinstance(part, bytes))


def _duration_s(text: str) -> float | None:
    parts = _PARTS.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
