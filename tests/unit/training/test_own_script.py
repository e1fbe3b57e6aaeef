"""A team's script under the launcher: what it finds, how it ends, and what of its work counts."""

import hashlib
import io
import json
import tarfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.unit.training.conftest import ARTIFACT_BUCKET, DATA_BUCKET, OUTPUT_URI, RUN_ID, SPEC_URI, Workbench, blobs
from tests.unit.training.splits import split_rows
from training import launcher
from training.errors import BadConfigurationError, BadDataError, TrainingJobError
from training.interruption import Interruption
from training.launch.gang import Gang
from training.launch.rendezvous import Node
from training.launch.supervision import Patience
from training.own_script import checkpoint_folder
from training.own_script.checkpoint_folder import CheckpointFolder
from training.own_script.run import Place, run_own_script
from training.predictor import Predictor
from training.spec import RunSpec, parse_spec
from training.storage import Storage

EXAMPLE = Path(__file__).parents[3] / "examples/own_script"
PLACE = f"s3://{DATA_BUCKET}/datasets/winery/"
NAME = "scripts/train.py"


@pytest.fixture(autouse=True)
def as_launched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the launcher's environment, a scratch folder, and a watch on checkpoints that looks often."""
    monkeypatch.setenv("TURBINE_SCRATCH_DIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(checkpoint_folder, "LOOK_EVERY_S", 0.1)


WHERE_IT_STOPS = "        if asked_to_stop:\n"
WAITS_FOR_THE_ORDER = """\
        while number == 3 and "TEST_WAITS_FOR_THE_ORDER" in os.environ and not asked_to_stop:
            time.sleep(0.01)
"""


@pytest.fixture
def interruption() -> Interruption:
    return Interruption()


@pytest.fixture
def stop_at_first_checkpoint(interruption: Interruption, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order to stop comes when the first checkpoint has been committed."""
    log_event = checkpoint_folder.log_event

    def log_and_stop(event: str, **fields: Any) -> None:
        log_event(event, **fields)
        if event == "checkpoint":
            interruption.reason = "asked to stop"

    monkeypatch.setattr(checkpoint_folder, "log_event", log_and_stop)


def put_run(bench: Workbench, source: str, **hyperparameters: Any) -> RunSpec:
    """A run of the script `source`."""
    body = textwrap.dedent(source).encode()
    bench.s3.put_object(Bucket=DATA_BUCKET, Key=f"datasets/winery/{NAME}", Body=body)
    settings = {"script": PLACE + NAME, "sha256": hashlib.sha256(body).hexdigest(), **hyperparameters}
    bench.put_run([bench.put_shard(blobs())], recipe="own_script", hyperparameters=settings)
    return parse_spec(bench.output("run.json"), SPEC_URI)


def run(spec: RunSpec, interruption: Interruption, fencing: int = 0, processes: int = 1, grace_s: float = 60) -> int:
    gang = Gang(spec.run_id, Node(), processes, interruption, Patience(checkpoint_s=grace_s))
    place = Place(is_main=True, world_size=processes, owner="me", fencing=fencing)
    return run_own_script(spec, Storage(), gang, place)


def example(bench: Workbench, **arguments: Any) -> RunSpec:
    return put_run(bench, (EXAMPLE / "train.py").read_text(), arguments=arguments)


def test_the_example_leaves_what_a_recipe_leaves(bench: Workbench, interruption: Interruption, tmp_path: Path) -> None:
    spec = example(bench, epochs=5)
    assert run(spec, interruption) == 0

    files = json.loads(bench.output("_SUCCESS"))["files"]
    assert set(files) == {
        "model/model.safetensors",
        "model/config.json",
        "model/README.md",
        "model.tar.gz",
        "metrics.json",
        "evaluation.parquet",
        "evaluation_blocks.json",
    }
    metrics = json.loads(bench.output("metrics.json"))
    assert metrics["run_id"] == RUN_ID
    assert metrics["script"] == {"uri": PLACE + NAME, "sha256": spec.recipe.hyperparameters["sha256"]}
    assert sum(metrics["rows"].values()) == 120
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2, 3, 4, 5]
    assert metrics["parameters"] == 3 * 2 + 2
    assert metrics["test"]["log_loss"] < metrics["baseline"]["log_loss"]
    measured = boto3.client("cloudwatch").list_metrics(Namespace="Turbine/Training")["Metrics"]
    assert {metric["MetricName"] for metric in measured} == {f"test_{name}" for name in metrics["test"]}

    with tarfile.open(fileobj=io.BytesIO(bench.output("model.tar.gz"))) as tar:
        tar.extractall(tmp_path, filter="data")
    predictor = Predictor.load(tmp_path)
    evaluation = pq.read_table(io.BytesIO(bench.output("evaluation.parquet")))
    rows = blobs().drop_columns(["class"]).take(evaluation["row_id"])
    features = np.stack([column.to_numpy() for column in rows.columns], axis=1)
    assert predictor.predict(features).values.tolist() == evaluation["prediction"].to_pylist()
    assert json.loads((tmp_path / "config.json").read_text())["metrics"]["test"] == metrics["test"]


def test_the_example_goes_on_from_its_checkpoint_as_if_nothing_had_been(
    bench: Workbench,
    interruption: Interruption,
    stop_at_first_checkpoint: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Acceptance: SIGTERM, 75, and a second start that ends with the numbers of an undisturbed run."""
    before, stops, after = (EXAMPLE / "train.py").read_text().partition(WHERE_IT_STOPS)
    spec = put_run(bench, before + WAITS_FOR_THE_ORDER + stops + after, arguments={"epochs": 8})
    with monkeypatch.context() as first:
        first.setenv("TEST_WAITS_FOR_THE_ORDER", "1")  # or it may be done before a busy machine has handed it over
        assert run(spec, interruption) == 75
    assert "_SUCCESS" not in bench.output_names()
    capsys.readouterr()
    assert run(spec, Interruption()) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    resumed = next(line for line in lines if line["event"] == "resumed")
    assert 1 <= resumed["step"] <= 3
    disturbed = json.loads(bench.output("metrics.json"))

    for name in bench.output_names():
        bench.s3.delete_object(Bucket=ARTIFACT_BUCKET, Key=f"runs/winery/{RUN_ID}/{name}")
    assert run(spec, Interruption()) == 0
    undisturbed = json.loads(bench.output("metrics.json"))
    assert disturbed["test"] == undisturbed["test"]
    assert [epoch["train_loss"] for epoch in disturbed["epochs"]] == [
        epoch["train_loss"] for epoch in undisturbed["epochs"]
    ]


def test_the_examples_manifest_names_the_example_by_its_digest() -> None:
    hyperparameters = json.loads((EXAMPLE / "manifest.json").read_text())["recipe"]["hyperparameters"]
    assert hyperparameters["sha256"] == hashlib.sha256((EXAMPLE / "train.py").read_bytes()).hexdigest()


LOOK_AROUND = """
    import json, os, pathlib, sys
    import pyarrow.parquet as pq
    import training.tasks
    data = pathlib.Path(os.environ["TURBINE_DATA_DIR"])
    split = pq.read_table(data / "split.parquet").to_pydict()
    found = {
        "shards": [(path.name, pq.read_metadata(path).num_rows) for path in sorted((data / "shards").iterdir())],
        "test": [row for row, part in zip(split["row_id"], split["split"]) if part == "test"],
        "arguments": json.loads(os.environ["TURBINE_ARGUMENTS"]),
        "seed": json.loads(pathlib.Path(os.environ["TURBINE_RUN_SPEC_FILE"]).read_text())["seed"],
        "checkpoints": os.listdir(os.environ["TURBINE_CHECKPOINT_DIR"]),
        "output": os.listdir(os.environ["TURBINE_OUTPUT_DIR"]),
        "world": [os.environ["RANK"], os.environ["WORLD_SIZE"], os.environ["LOCAL_RANK"]],
        "argv": len(sys.argv),
        "in_scratch": str(data).startswith(os.environ["TURBINE_SCRATCH_DIR"]),
    }
    print(json.dumps(found))
    sys.exit(75)
"""


def test_a_script_finds_data_split_arguments_and_folders(
    bench: Workbench, interruption: Interruption, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = put_run(bench, LOOK_AROUND, arguments={"depth": 3, "names": ["a"]})
    assert run(spec, interruption) == 75
    (found,) = [json.loads(line) for line in capfd.readouterr().out.splitlines() if '"shards"' in line]
    assert found == {
        "shards": [["00000.parquet", 120]],
        "test": split_rows(blobs(), spec.split).test.tolist(),
        "arguments": {"depth": 3, "names": ["a"]},
        "seed": 7,
        "checkpoints": [],
        "output": ["model"],
        "world": ["0", "1", "0"],
        "argv": 1,
        "in_scratch": True,
    }


@pytest.mark.parametrize(
    ("hyperparameters", "words"),
    [
        ({"script": "https://example.com/train.py"}, "https://example.com/train.py"),
        ({"script": f"s3://{DATA_BUCKET}/datasets/vision/train.py"}, "of team winery"),
        ({"script": f"s3://{ARTIFACT_BUCKET}/datasets/winery/train.py"}, "of team winery"),
        ({"script": f"{PLACE}../vision/train.py"}, "of team winery"),
        ({"script": f"{PLACE}train.sh"}, "of team winery"),
        ({"script": f"{PLACE}nothing.py"}, "cannot be read (NoSuchKey)"),
        ({"script": 3}, "hyperparameter script: Input should be a valid string"),
        ({"sha256": "ab"}, "hyperparameter sha256: "),
        ({"arguments": [1]}, "hyperparameter arguments: "),
        ({"epochs": 1}, "hyperparameter epochs: Extra inputs are not permitted"),
    ],
)
def test_a_script_that_is_not_the_teams_own_is_not_run(
    bench: Workbench, interruption: Interruption, hyperparameters: dict[str, Any], words: str
) -> None:
    spec = put_run(bench, "raise SystemExit(75)", **hyperparameters)
    with pytest.raises(BadConfigurationError) as caught:
        run(spec, interruption)
    assert words in caught.value.message


def test_a_script_that_changed_is_not_run_and_both_digests_are_named(
    bench: Workbench, interruption: Interruption
) -> None:
    spec = put_run(bench, "raise SystemExit(75)")
    bench.s3.put_object(Bucket=DATA_BUCKET, Key=f"datasets/winery/{NAME}", Body=b"other")
    with pytest.raises(BadConfigurationError) as caught:
        run(spec, interruption)
    assert hashlib.sha256(b"other").hexdigest() in caught.value.message
    assert spec.recipe.hyperparameters["sha256"] in caught.value.message


@pytest.mark.parametrize(
    ("ending", "error", "exit_code", "words"),
    [
        ("raise SystemExit(65)", BadDataError, 65, "exit code 65"),
        ("raise SystemExit(78)", BadConfigurationError, 78, "exit code 78"),
        ("raise SystemExit(3)", TrainingJobError, 70, "exit code 3"),
        ("raise ValueError('no')", TrainingJobError, 70, "exit code 1"),
        ("import os; os.kill(os.getpid(), 9)", TrainingJobError, 137, "SIGKILL"),
    ],
)
def test_the_scripts_exit_code_comes_out(
    bench: Workbench,
    interruption: Interruption,
    ending: str,
    error: type[TrainingJobError],
    exit_code: int,
    words: str,
) -> None:
    with pytest.raises(error) as caught:
        run(put_run(bench, ending), interruption)
    assert caught.value.exit_code == exit_code
    assert words in caught.value.message
    assert bench.output_names() == []


@pytest.mark.parametrize(("ending", "exit_code"), [("raise SystemExit(65)", 65), ("raise SystemExit(1)", 70)])
def test_the_launcher_runs_scripts_and_logs_how_they_end(
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ending: str,
    exit_code: int,
) -> None:
    put_run(bench, ending)
    monkeypatch.setenv(launcher.SPEC_VARIABLE, SPEC_URI)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert launcher.main() == exit_code
    failed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (failed["event"], failed["exit_code"]) == ("failed", exit_code)


STEPS_UNTIL_STOPPED = """
    import os, pathlib, signal, sys
    folder = pathlib.Path(os.environ["TURBINE_CHECKPOINT_DIR"])
    done = sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))
    def save(step):
        growing = folder / "growing"
        (growing / "deep").mkdir(parents=True)
        (growing / "deep/weights").write_bytes(b"weights of %d" % step)
        growing.rename(folder / f"step-{step}")
    def stop(*_):
        save(8)
        sys.exit(75)
    if done:
        assert done == [8], done
        assert (folder / "step-8/deep/weights").read_bytes() == b"weights of 8"
        sys.exit(65)
    signal.signal(signal.SIGTERM, stop)
    save(7)
    signal.pause()
"""


def test_what_a_script_saves_when_it_is_stopped_is_what_it_finds_again(
    bench: Workbench, interruption: Interruption, stop_at_first_checkpoint: None
) -> None:
    spec = put_run(bench, STEPS_UNTIL_STOPPED)
    assert run(spec, interruption, fencing=3) == 75
    assert {name for name in bench.output_names() if name.endswith("_COMPLETE")} == {
        "checkpoints/00000003-000000000007/_COMPLETE",
        "checkpoints/00000003-000000000008/_COMPLETE",
    }
    with pytest.raises(BadDataError):
        run(spec, Interruption(), fencing=4)


def test_a_script_that_does_not_heed_the_order_is_killed_and_tried_again(
    bench: Workbench, interruption: Interruption, stop_at_first_checkpoint: None
) -> None:
    script = STEPS_UNTIL_STOPPED.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(15, signal.SIG_IGN)")
    assert run(put_run(bench, script), interruption, grace_s=0.1) == 75


def test_every_worker_of_a_gang_runs_the_script(bench: Workbench, interruption: Interruption) -> None:
    script = """
        import os, pathlib, sys
        mine = pathlib.Path(os.environ["TURBINE_CHECKPOINT_DIR"]) / ("worker-" + os.environ["RANK"])
        mine.mkdir()
        other = mine.with_name("worker-1" if mine.name == "worker-0" else "worker-0")
        while not other.exists():
            pass
        sys.exit(65)
    """
    with pytest.raises(BadDataError):
        run(put_run(bench, script), interruption, processes=2)


@pytest.fixture
def folder(bench: Workbench, tmp_path: Path) -> Callable[..., CheckpointFolder]:
    """A new launcher's view on the checkpoints: an empty disk, the same bucket."""

    def make(fencing: int = 1, fingerprint: str = "same", steps: tuple[int, ...] = ()) -> CheckpointFolder:
        disk = tmp_path / f"disk-{len(list(tmp_path.iterdir()))}"
        for step in steps:
            place = disk / f"step-{step:04d}"
            place.mkdir(parents=True)
            (place / "weights").write_bytes(b"weights of %d" % step)
        disk.mkdir(exist_ok=True)
        return CheckpointFolder(bench.s3, OUTPUT_URI, disk, fingerprint, fencing)

    return make


def test_the_newest_checkpoint_is_of_the_newest_job(folder: Callable[..., CheckpointFolder]) -> None:
    folder(fencing=1, steps=(900,)).upload_newest()
    folder(fencing=2, steps=(30,)).upload_newest()
    assert folder(fencing=3).restore() == 30


@pytest.mark.parametrize("harm", ["other bytes", "no bytes", "no marker"])
def test_a_checkpoint_that_is_not_whole_is_skipped(
    folder: Callable[..., CheckpointFolder], bench: Workbench, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (1, 2):
        folder(steps=(step,)).upload_newest()
    newest = "checkpoints/00000001-000000000002"
    if harm == "other bytes":
        bench.write(f"{newest}/weights", b"weights of 3")
    else:
        name = f"{newest}/weights" if harm == "no bytes" else f"{newest}/_COMPLETE"
        bench.s3.delete_object(Bucket=ARTIFACT_BUCKET, Key=f"runs/winery/{RUN_ID}/{name}")
    assert folder().restore() == 1
    assert ("checkpoint_skipped" in capsys.readouterr().out) == (harm != "no marker")


def test_a_checkpoint_of_another_script_is_refused(folder: Callable[..., CheckpointFolder]) -> None:
    folder(steps=(5,)).upload_newest()
    with pytest.raises(BadConfigurationError, match="step 5 was made by another script"):
        folder(fingerprint="other").restore()


def test_the_last_two_are_kept_here_and_there(
    folder: Callable[..., CheckpointFolder], bench: Workbench, tmp_path: Path
) -> None:
    mine = folder(fencing=2)
    bench.write("checkpoints/00000001-000000000009/torn", b"an upload that broke off")
    for step in (1, 2, 3):
        place = tmp_path / "disk-0" / f"step-{step}"
        place.mkdir()
        (place / "weights").write_bytes(b"weights")
        mine.upload_newest()
    assert set(bench.output_names()) == {
        f"checkpoints/00000002-00000000000{step}/{file}" for step in (2, 3) for file in ("weights", "_COMPLETE")
    }
    assert {path.name for path in (tmp_path / "disk-0").iterdir()} == {"step-2", "step-3"}


def test_what_appears_last_is_uploaded_too(
    folder: Callable[..., CheckpointFolder], bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the script ends long before the next look."""
    monkeypatch.setattr(checkpoint_folder, "LOOK_EVERY_S", 3600)
    with folder().kept():
        (tmp_path / "disk-0" / "step-5").mkdir()
        (tmp_path / "disk-0" / "step-5" / "weights").write_bytes(b"weights")
    assert "checkpoints/00000001-000000000005/_COMPLETE" in bench.output_names()


def test_a_failing_upload_ends_no_training_and_is_tried_again(
    folder: Callable[..., CheckpointFolder],
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upload_file, failures = checkpoint_folder.upload_file, [ConnectionError("lost"), ConnectionError("lost")]

    def fail_twice(*arguments: Any) -> str | None:
        if failures:
            raise failures.pop()
        return upload_file(*arguments)

    monkeypatch.setattr(checkpoint_folder, "upload_file", fail_twice)
    monkeypatch.setattr(checkpoint_folder, "LOOK_EVERY_S", 0.001)
    mine = folder(steps=(4,))
    with mine.kept():
        while failures:
            pass
    assert "checkpoints/00000001-000000000004/_COMPLETE" in bench.output_names()
    assert capsys.readouterr().out.count("checkpoint_not_uploaded") == 2
