"""`${DataBucket}` in examples and team files stands for a stack output: the files fit every account."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cli import exit_codes
from cli.errors import CommandError

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z][A-Za-z0-9]*)\}")


def expand(text: str, outputs: Mapping[str, str], *, place: str) -> str:
    """Replace each `${X}` by the stack output `X`, or else `XName` (`DataBucket`: `DataBucketName`).

    Raises: CommandError naming an unknown placeholder and the known ones.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        for candidate in (name, f"{name}Name"):
            if candidate in outputs:
                return outputs[candidate]
        known = ", ".join(sorted(key.removesuffix("Name") for key in outputs if key.endswith("Name")))
        raise CommandError(
            f"the placeholder ${{{name}}} is not an output of the stack",
            place=place,
            next_step=f"use one of: {known}",
            exit_code=exit_codes.REFUSED,
        )

    return _PLACEHOLDER.sub(value, text)
