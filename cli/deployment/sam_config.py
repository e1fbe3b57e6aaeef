"""`samconfig.toml`: the parameter overrides that `sam deploy --config-env NAME` would use."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path
from typing import Any

from cli import exit_codes
from cli.errors import CommandError


def parameter_overrides(path: Path, environment: str) -> dict[str, str]:
    """The overrides of `[<environment>.deploy.parameters]`, written as one text or as a list of `K=V`.

    Raises: CommandError if the file, the environment or a pair is not as SAM writes it.
    """
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise _refused(f"there is no {path.name}", path) from error
    except tomllib.TOMLDecodeError as error:
        raise _refused(f"not TOML: {error}", path) from error
    try:
        parameters = document[environment]["deploy"]["parameters"]
    except KeyError as error:
        known = ", ".join(sorted(key for key in document if key != "version"))
        raise _refused(f"no [{environment}.deploy.parameters]; it has: {known}", path) from error
    return _pairs(parameters.get("parameter_overrides", []), path)


def _pairs(value: str | list[str], path: Path) -> dict[str, str]:
    words = shlex.split(value) if isinstance(value, str) else value
    pairs = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise _refused(f"parameter_overrides: {word!r} is not NAME=VALUE", path)
        pairs[name] = text.strip('"')
    return pairs


def _refused(cause: str, path: Path) -> CommandError:
    return CommandError(cause, place=str(path), next_step="mend the file", exit_code=exit_codes.REFUSED)
