"""JSON Schemas of the documents that travel: `python -m turbine.domain.schemas DIR` writes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from turbine.domain.manifest import BatchManifest, InferenceManifest, Manifest
from turbine.domain.run import RunSpec
from turbine.domain.team import TeamFile
from turbine.domain.verdict import Verdict

DOCUMENTS: Mapping[str, type[BaseModel]] = {
    "manifest": Manifest,
    "batch_manifest": BatchManifest,
    "inference_manifest": InferenceManifest,
    "team": TeamFile,
    "run": RunSpec,
    "decision": Verdict,
}


def texts() -> dict[str, str]:
    """File name to content, for every document."""
    return {
        f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
        for name, model in DOCUMENTS.items()
    }


def write(folder: Path) -> None:
    """Write every schema into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
