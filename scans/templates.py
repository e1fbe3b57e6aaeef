"""The templates as AWS gets them, written into files that scanners read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.check.expansion import expanded
from local_cloud.cloudformation.templates import parse

TEMPLATES = ("template.yaml", "stacks/prediction.yaml", "stacks/team.yaml")


def read(path: Path) -> dict[str, Any]:
    """The template at `path` as AWS gets it."""
    return expanded(parse(path.read_text()))


def write(root: Path, folder: Path) -> dict[str, Path]:
    """Write each expanded template into `folder`. Returns their paths by the template's name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name in TEMPLATES:
        written[name] = folder / f"{name.removesuffix('.yaml').replace('/', '-')}.json"
        written[name].write_text(json.dumps(read(root / name), indent=1))
    return written
