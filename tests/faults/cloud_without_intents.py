"""The embedded cloud without one of its defences: a call that is made again takes effect again."""

from __future__ import annotations

from local_cloud import intents, server


def _nothing(intent: str) -> intents.Told | None:
    """No call was ever answered."""
    del intent
    return None


if __name__ == "__main__":
    intents.answered = _nothing
    server.main()
