"""`python -m scans.package_sizes`: what `sam build` made of each function, unzipped, with its layers.

Lambda refuses more than 262,144,000 bytes; this fails from 200 MB on, while there is still room to act.
Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (deployment package size)
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local_cloud.cloudformation.errors import TemplateError
from local_cloud.cloudformation.templates import parse

ROOT = Path(__file__).parents[1]
BUILD = ROOT / ".aws-sam/build"
MOST_BYTES = 200_000_000
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Size:
    """One function. Units: bytes."""

    function: str
    code: int
    layers: dict[str, int]

    @property
    def total(self) -> int:
        return self.code + sum(self.layers.values())


class NotBuiltError(RuntimeError):
    """There is no built template, or it is not what `sam build` writes."""


def sizes(template: Path) -> Iterator[Size]:
    """Each function of a built template and of the stacks in it.

    Raises: NotBuiltError, TemplateError.
    """
    if not template.is_file():
        raise NotBuiltError(f"{template} is not there")
    document = parse(template.read_text())
    resources, folder = document["Resources"], template.parent
    shared = document.get("Globals", {}).get("Function", {}).get("Layers", [])
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            layers = [_referred(name, layer) for layer in [*shared, *properties.get("Layers", [])]]
            yield Size(
                name,
                _bytes_below(_place(folder, name, properties.get("CodeUri"))),
                {
                    layer: _bytes_below(_place(folder, layer, resources[layer]["Properties"]["ContentUri"]))
                    for layer in layers
                },
            )
        elif resource["Type"] == "AWS::CloudFormation::Stack":
            yield from sizes(_place(folder, name, properties["TemplateURL"]))


def _referred(function: str, layer: Any) -> str:
    if not isinstance(layer, dict) or "Ref" not in layer:
        raise NotBuiltError(f"{function}: the layer {layer} is not one of its template's")
    return str(layer["Ref"])


def _place(folder: Path, name: str, written: Any) -> Path:
    if not isinstance(written, str) or not (folder / written).exists():
        raise NotBuiltError(f"{name}: {written} is not there")
    return folder / written


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=BUILD, help="what `sam build` made; .aws-sam/build")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    try:
        found = sorted(sizes(given.build / "template.yaml"), key=lambda size: -size.total)
    except (NotBuiltError, TemplateError) as error:
        sys.exit(f"{error}\nnext: sam build")
    if given.json:
        print(json.dumps([{**asdict(size), "total": size.total} for size in found]))
    else:
        print(f"{'MB unzipped':<28}{'code':>8}{'layers':>8}{'total':>8}")
        for size in found:
            parts = (size.code, size.total - size.code, size.total)
            print(f"{size.function:<28}" + "".join(f"{part / MEGABYTE:8.1f}" for part in parts))
    if too_large := [size.function for size in found if size.total > MOST_BYTES]:
        sys.exit(f"more than {MOST_BYTES // MEGABYTE} MB: {', '.join(too_large)}\nnext: drop what it does not import")


if __name__ == "__main__":
    main()
