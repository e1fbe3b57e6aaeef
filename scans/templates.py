"""The templates as AWS gets them: SAM's transform run, code in a bucket."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from local_cloud.cloudformation import templates, transforms

TEMPLATES = ("template.yaml", "stacks/prediction.yaml", "stacks/team.yaml")
_ACCOUNT = "123456789012"
_CODE = ("CodeUri", "ContentUri", "DefinitionUri")


def expanded(path: Path) -> dict[str, Any]:
    """The template at `path` without its transform."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # SAM's transform asks for a Region
    template = templates.parse(path.read_text())
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in _CODE:
            if isinstance(properties.get(name), str):
                # As `sam package` leaves it: the transform refuses a path.
                properties[name] = f"s3://packaged/{properties[name].strip('./')}"
    return transforms.expand(template, {}, _ACCOUNT)


def write(root: Path, folder: Path) -> dict[str, Path]:
    """Write each expanded template into `folder`. Returns their paths by the template's name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name in TEMPLATES:
        written[name] = folder / f"{name.removesuffix('.yaml').replace('/', '-')}.json"
        written[name].write_text(json.dumps(expanded(root / name), indent=1))
    return written
