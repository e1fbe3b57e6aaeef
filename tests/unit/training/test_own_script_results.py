"""What a script leaves is checked as the work of a stranger: each fault is named, with the file it is in."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.unit.training.conftest import SPEC_URI, Workbench, blobs
from training.data import Profile, ShardReader, profile_dataset
from training.errors import BadConfigurationError
from training.own_script.results import take_results
from training.own_script.script import OwnScriptConfig
from training.own_script.workplace import Workplace
from training.recipes import find_recipe
from training.spec import RunSpec, parse_spec
from training.tasks import Classification

CONFIG = OwnScriptConfig(script="s3://data/datasets/winery/train.py", sha256=hashlib.sha256(b"").hexdigest())
NAMES = ["a", "b", "c"]


@dataclass(frozen=True)
class Left:
    """A run whose script has ended, having left sound results."""

    spec: RunSpec
    workplace: Workplace
    profile: Profile

    @property
    def output(self) -> Path:
        return self.workplace.output

    def take(self) -> dict[str, Any]:
        return take_results(self.spec, CONFIG, self.workplace, self.profile)


@pytest.fixture
def left(bench: Workbench, tmp_path: Path) -> Left:
    bench.put_run([bench.put_shard(blobs())], recipe="own_script", hyperparameters=CONFIG.model_dump())
    spec = parse_spec(bench.output("run.json"), SPEC_URI)
    profile = profile_dataset(spec.dataset, spec.split, ShardReader(bench.s3), scales_inputs=False)
    workplace = Workplace(tmp_path / "work")
    workplace.make_folders()
    write_sound_results(workplace.output, profile)
    return Left(spec, workplace, profile)


def write_sound_results(output: Path, profile: Profile) -> None:
    """An untrained linear model."""
    (block,) = profile.held_out("test")
    recipe, task = find_recipe("tabular_classifier"), Classification([0, 1])
    torch.manual_seed(0)
    model = recipe.model(recipe.parse_config({"hidden": []}), 3, 2)
    save_file(model.state_dict(), output / "model/model.safetensors")
    config = {
        "recipe": "tabular_classifier",
        "hyperparameters": {"hidden": []},
        "features": NAMES,
        "target": "class",
        "classes": [0, 1],
        "normalisation": {"mean": [0, 0, 0], "scale": [1, 1, 1]},
    }
    (output / "model/config.json").write_text(json.dumps(config))
    with torch.no_grad():
        predictions = task.decode(model(torch.from_numpy(block.features.astype(np.float32))).numpy())
    (output / "metrics.json").write_text(json.dumps({"test": task.measure(block.labels, predictions)}))


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def test_sound_results_are_measured_and_completed(left: Left) -> None:
    measured = left.take()
    claimed = json.loads((left.output / "metrics.json").read_text())["test"]
    assert measured["test"] == pytest.approx(claimed)
    assert set(measured["baseline"]) == set(measured["validation"]) == set(claimed)
    assert measured["parameters"] == 8
    assert measured["epochs"] == []
    config = json.loads((left.output / "model/config.json").read_text())
    assert config["metrics"]["test"] == measured["test"]
    assert (left.output / "model.tar.gz").is_file()
    assert "winery" in (left.output / "model/README.md").read_text()
    evaluation = pq.read_table(left.output / "evaluation.parquet")
    (block,) = left.profile.held_out("test")
    assert evaluation["row_id"].to_pylist() == block.row_ids.tolist()
    assert evaluation["label"].to_pylist() == block.labels.tolist()


def test_a_model_may_use_some_of_the_features_in_its_own_order(left: Left) -> None:
    """Here the first two swapped, with their weights: the same model."""
    change(left.output / "model/config.json", lambda c: c.update(features=["b", "a", "c"]))
    path = left.output / "model/model.safetensors"
    weights = load_file(path)
    weights["0.weight"] = weights["0.weight"][:, [1, 0, 2]].contiguous()
    save_file(weights, path)
    claimed = json.loads((left.output / "metrics.json").read_text())["test"]
    assert left.take()["test"] == pytest.approx(claimed)


def test_a_card_of_the_scripts_own_stays(left: Left) -> None:
    (left.output / "model/README.md").write_text("ours")
    left.take()
    assert (left.output / "model/README.md").read_text() == "ours"


def drop(name: str) -> Callable[[Path], None]:
    return lambda output: (output / name).unlink()


def in_metrics(edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda output: change(output / "metrics.json", edit)


def in_config(edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda output: change(output / "model/config.json", edit)


def with_other_weights(output: Path) -> None:
    path = output / "model/model.safetensors"
    weights = load_file(path)
    save_file({name: tensor.repeat(2, *[1] * (tensor.dim() - 1)) for name, tensor in weights.items()}, path)


def torn_weights(output: Path) -> None:
    path = output / "model/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def of_no_numbers(output: Path) -> None:
    path = output / "model/model.safetensors"
    save_file({name: tensor * torch.nan for name, tensor in load_file(path).items()}, path)


def no_json(output: Path) -> None:
    (output / "metrics.json").write_text("{")


def no_object(output: Path) -> None:
    (output / "model/config.json").write_text("[]")


EPOCH = {"epoch": 1, "train_loss": 1.0, "validation_loss": 1.0, "validation": {}, "elapsed_s": 1.0}

FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no metrics": (drop("metrics.json"), "left no metrics.json"),
    "no weights": (drop("model/model.safetensors"), "left no model/model.safetensors"),
    "no config": (drop("model/config.json"), "left no model/config.json"),
    "not JSON": (no_json, "metrics.json: the document"),
    "NaN": (in_metrics(lambda m: m["test"].update(log_loss=float("nan"))), "metrics.json: test.log_loss"),
    "text": (in_metrics(lambda m: m["test"].update(accuracy="high")), "metrics.json: test.accuracy"),
    "unknown field": (in_metrics(lambda m: m.update(run_id="other")), "metrics.json: run_id"),
    "endless loss": (
        in_metrics(lambda m: m.update(epochs=[EPOCH | {"train_loss": float("inf")}])),
        "metrics.json: epochs.0.train_loss",
    ),
    "missing metric": (in_metrics(lambda m: m["test"].pop("macro_f1")), "test holds"),
    "invented metric": (in_metrics(lambda m: m["test"].update(rmse=1.0)), "test holds"),
    "bettered metric": (in_metrics(lambda m: m["test"].update(accuracy=1.0)), "test accuracy is 1, but the model"),
    "no object": (no_object, "does not load: TypeError"),
    "unknown recipe": (in_config(lambda c: c.update(recipe="mystery")), "there is no recipe 'mystery'"),
    "no recipe": (in_config(lambda c: c.pop("recipe")), "does not load: KeyError: 'recipe'"),
    "wrong hyperparameter": (in_config(lambda c: c["hyperparameters"].update(hidden="8")), "hyperparameter hidden"),
    "other target": (in_config(lambda c: c.update(target="price")), "target is 'price', the data set's is 'class'"),
    "other features": (in_config(lambda c: c.update(features=["a", "b", "d"])), "feature 'd' is none of the data"),
    "class left out": (in_config(lambda c: c.update(classes=[0, 2])), "classes lack 1"),
    "forgotten scaling": (in_config(lambda c: c["normalisation"].update(scale=[0.01, 1, 1])), "but the model it left"),
    "other weights": (with_other_weights, "does not load: RuntimeError"),
    "torn weights": (torn_weights, "does not load: SafetensorError"),
    "weights of no numbers": (of_no_numbers, "is no finite number"),
}


@pytest.mark.parametrize(("harm", "words"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_named(left: Left, harm: Callable[[Path], None], words: str) -> None:
    harm(left.output)
    with pytest.raises(BadConfigurationError) as caught:
        left.take()
    assert words in caught.value.message
    assert not (left.output / "model.tar.gz").exists()


def test_a_scripts_model_is_summed_by_slices_too(bench: Workbench, tmp_path: Path) -> None:
    table = blobs().append_column("site", pa.array(["A", "B"] * 60))
    bench.put_run([bench.put_shard(table)], recipe="own_script", hyperparameters=CONFIG.model_dump())
    spec = parse_spec(bench.output("run.json"), SPEC_URI)
    spec = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"slices": ("site",)})})
    profile = profile_dataset(spec.dataset, spec.split, ShardReader(bench.s3), scales_inputs=False)
    workplace = Workplace(tmp_path / "work")
    workplace.make_folders()
    write_sound_results(workplace.output, profile)
    measured = Left(spec, workplace, profile).take()
    sums = json.loads((workplace.output / "evaluation_blocks.json").read_text())["slices"]["site"]
    hits, rows = sum(sums["columns"]["hits"]), sum(sums["columns"]["rows"])
    assert set(sums["values"]) == {"A", "B"} and rows == profile.row_counts["test"]
    assert hits / rows == pytest.approx(measured["test"]["accuracy"])
