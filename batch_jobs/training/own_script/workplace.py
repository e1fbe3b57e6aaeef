"""What a script finds when it starts: folders, files and environment variables.

TURBINE_DATA_DIR        shards/00000.parquet, shards/00001.parquet, … in order, checked to be the pinned bytes,
                        and split.parquet: row_id (int64) and split ("train", "validation" or "test"), a row each
TURBINE_CHECKPOINT_DIR  the newest checkpoint as it left it, or empty; what it renames into place here is kept
TURBINE_OUTPUT_DIR      empty: its results go here
TURBINE_RUN_SPEC_FILE   the run spec, JSON
TURBINE_ARGUMENTS       `arguments` of the manifest, JSON
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.archive import MODEL_FOLDER
from training.data import Profile, ShardReader
from training.own_script.script import OwnScriptConfig
from training.spec import Dataset, RunSpec
from training.split import PARTS

COPY_BYTES = 16 * 1024 * 1024

_CODE = Path(__file__).parents[2]  # the folder that holds the package `training`


@dataclass(frozen=True)
class Workplace:
    """The script's folders, all below `root`."""

    root: Path

    @property
    def script(self) -> Path:
        return self.root / "train.py"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def output(self) -> Path:
        return self.root / "output"

    def make_folders(self) -> None:
        for folder in (self.data / "shards", self.checkpoints, self.output / MODEL_FOLDER):
            folder.mkdir(parents=True)

    def variables(self, spec: RunSpec, config: OwnScriptConfig, python_path: str | None) -> dict[str, str]:
        """The environment on top of the job's own. `python_path` is what PYTHONPATH was."""
        spec_file = self.root / "run.json"
        spec_file.write_text(spec.model_dump_json(indent=1))
        return {
            "TURBINE_DATA_DIR": str(self.data),
            "TURBINE_CHECKPOINT_DIR": str(self.checkpoints),
            "TURBINE_OUTPUT_DIR": str(self.output),
            "TURBINE_RUN_SPEC_FILE": str(spec_file),
            "TURBINE_ARGUMENTS": json.dumps(config.arguments),
            "PYTHONPATH": f"{_CODE}:{python_path}" if python_path else str(_CODE),
            "PYTHONUNBUFFERED": "1",  # a line that waits in a buffer is lost with a script that is killed
        }


def lay_out_data(dataset: Dataset, shards: ShardReader, profile: Profile, workplace: Workplace) -> None:
    """Write the shards, which the profile has found sound, and the split."""
    for index, shard in enumerate(dataset.shards):
        path = workplace.data / "shards" / f"{index:05d}.{dataset.format}"
        with shards.open(shard) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
    split = pa.DictionaryArray.from_arrays(pa.array(profile.parts), pa.array(list(PARTS)))
    row_ids = np.arange(len(profile.parts), dtype=np.int64)
    pq.write_table(pa.table({"row_id": row_ids, "split": split}), workplace.data / "split.parquet")
