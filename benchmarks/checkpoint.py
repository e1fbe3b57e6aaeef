"""What a checkpoint costs training, and how much of the disk's speed a local save keeps.

    stall_over_copy      the caller's time in save() over a plain copy of the same tensors into memory that is there;
                         from a GPU into locked memory, all copies in flight at once, which is the bus's speed
    save_over_disk       bandwidth of a local save (SHA-256, fsync, marker) over os.write and fsync of the same bytes
    training_over_alone  the time of a forward and backward pass while a checkpoint is committed, upload and all, over
                         its time alone, on as many threads as a training process has here (one)

The state is that of a small transformer: weights and AdamW's two moments. Uploads go to another process on this
machine, which keeps nothing: their speed is the sender's share of an upload, but that process wants a core too. So
`training_beside_local_save_over_alone` is reported beside the third, with nothing but hash and disk in the background.

Where there is a GPU the state lies there, and the training step is one of its own; `--device cpu` says otherwise.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# Before a script's own folder, which holds a training.py too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "batch_jobs"))

import boto3
import torch
from torch import Tensor, nn

from benchmarks.loops import wait_for
from benchmarks.measure import arguments, median, publish, ratios, seconds, spread, take_turns
from training.checkpoint import Checkpoints
from training.checkpoint.checkpoints import give_way
from training.checkpoint.disk import Disk
from training.checkpoint.marker import CheckpointId, Marker
from training.checkpoint.staging import Staging

LAYERS = 8
WIDTH = 512
PAIRS = 15
STEP_ROWS = 64
STEP_ROWS_ON_GPU = 32_768
STEPS_ALONE = 20
COMMITTED_WITHIN_S = 120.0
FACTS = {"epoch": 3, "batch": 17}


def make_state(layers: int, width: int, device: torch.device) -> dict[str, Tensor]:
    """Weights and two moments of each, float32: 302 MB for 8 layers of 512."""
    random = torch.Generator().manual_seed(1)
    shapes = {"attention.in": (3 * width, width), "attention.out": (width, width), "norm": (width,)}
    shapes |= {"up": (4 * width, width), "down": (width, 4 * width)}
    return {
        f"{part}.{layer}.{name}": torch.randn(shape, generator=random).to(device)
        for part in ("model", "means", "squares")
        for layer in range(layers)
        for name, shape in shapes.items()
    }


def measure_stall(state: dict[str, Tensor], checkpoints: Checkpoints, pairs: int) -> dict[str, Any]:
    """Each save begins when the former is committed, as in training: `Cadence` sees to it."""
    device = next(iter(state.values())).device
    on_gpu = device.type == "cuda"
    buffer = {name: torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=on_gpu) for name, tensor in state.items()}
    steps = iter(range(1, sys.maxsize))
    commits_s: list[float] = []

    def copy() -> None:
        for name, tensor in state.items():
            buffer[name].copy_(tensor, non_blocking=on_gpu)
        wait_for(device)

    def save() -> None:
        if not checkpoints.save(next(steps), state, FACTS):
            raise RuntimeError("the former checkpoint is still being committed")

    def time_save() -> float:
        elapsed_s = seconds(save)
        if not checkpoints.wait(COMMITTED_WITHIN_S):
            raise RuntimeError("the checkpoint was not committed")
        commits_s.append(checkpoints.last_commit_s)
        return elapsed_s

    first_s = time_save()  # makes the staging buffer
    copy()
    saves, copies = take_turns(pairs, time_save, lambda: seconds(copy))
    over = ratios(saves, copies)
    return {
        "stall_over_copy": median(over),
        "stall_over_copy_spread": spread(over),
        "stall_s": median(saves),
        "copy_s": median(copies),
        "first_stall_s": median([first_s]),
        "commit_s": median(commits_s),
    }


def measure_disk(body: memoryview, folder: Path, pairs: int) -> dict[str, Any]:
    disk = Disk(folder / "saves")
    steps = iter(range(1, sys.maxsize))

    def time_save() -> float:
        checkpoint = CheckpointId(1, next(steps))
        elapsed_s = seconds(lambda: save_locally(disk, checkpoint, body))
        disk.remove(checkpoint)
        return elapsed_s

    def time_raw() -> float:
        path = folder / "raw"
        elapsed_s = seconds(lambda: write_raw(path, body))
        path.unlink()
        return elapsed_s

    time_raw(), time_save()
    raws, saves = take_turns(pairs, time_raw, time_save)
    over = ratios(raws, saves)
    return {
        "save_over_disk": median(over),
        "save_over_disk_spread": spread(over),
        "save_s": median(saves),
        "save_s_spread": spread(saves),
        "raw_s": median(raws),
        "raw_s_spread": spread(raws),
    }


def save_locally(disk: Disk, checkpoint: CheckpointId, body: memoryview) -> None:
    sha256 = disk.write_state(checkpoint, body)
    disk.complete(checkpoint, Marker(checkpoint.fencing, checkpoint.step, {}, sha256, len(body)))


def write_raw(path: Path, body: memoryview) -> None:
    file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    written = 0
    while written < len(body):
        written += os.write(file, body[written:])
    os.fsync(file)
    os.close(file)


def make_step(device: torch.device) -> Callable[[], None]:
    """A training step without its optimizer: forward, loss and backward of one feed-forward layer."""
    random = torch.Generator().manual_seed(2)
    model = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.ReLU(), nn.Linear(4 * WIDTH, WIDTH)).to(device)
    rows = STEP_ROWS_ON_GPU if device.type == "cuda" else STEP_ROWS
    batch = torch.randn(rows, WIDTH, generator=random).to(device)

    def step() -> None:
        model.zero_grad()
        nn.functional.mse_loss(model(batch), batch).backward()
        wait_for(device)

    return step


def measure_beside_local_save(step: Callable[[], None], body: memoryview, folder: Path, pairs: int) -> dict[str, Any]:
    disk = Disk(folder / "saves")

    def beside() -> float:
        checkpoint = CheckpointId(1, 1)
        with ThreadPoolExecutor(1, initializer=give_way) as background:
            saving = background.submit(save_locally, disk, checkpoint, body)
            step_s = seconds_a_step(step, saving.done)
            saving.result()
        disk.remove(checkpoint)
        return step_s

    return measure_slow_down("training_beside_local_save_over_alone", step, beside, pairs)


def measure_beside_commit(
    step: Callable[[], None], state: dict[str, Tensor], checkpoints: Checkpoints, pairs: int
) -> dict[str, Any]:
    """The whole of it: hash, local disk, upload and marker, in the thread that the job has for it."""
    numbers = iter(range(10**6, sys.maxsize))

    def beside() -> float:
        deadline_s = time.monotonic() + COMMITTED_WITHIN_S
        if not checkpoints.save(next(numbers), state, FACTS):
            raise RuntimeError("the former checkpoint is still being committed")
        step_s = seconds_a_step(step, lambda: checkpoints.wait(0) or time.monotonic() > deadline_s)
        if not checkpoints.wait(0):
            raise RuntimeError("the checkpoint was not committed")
        return step_s

    return measure_slow_down("training_over_alone", step, beside, pairs)


def measure_slow_down(name: str, step: Callable[[], None], beside: Callable[[], float], pairs: int) -> dict[str, Any]:
    """Steps that begin while `beside` has a save under way, against steps without one."""

    def alone() -> float:
        return sum(seconds(step) for _ in range(STEPS_ALONE)) / STEPS_ALONE

    alone(), beside()
    besides, alones = take_turns(pairs, beside, alone)
    over = ratios(besides, alones)
    return {name: median(over), f"{name}_spread": spread(over), "step_s": median(alones)}


def seconds_a_step(step: Callable[[], None], is_over: Callable[[], bool]) -> float:
    times_s = [seconds(step)]
    while not is_over():
        times_s.append(seconds(step))
    return sum(times_s) / len(times_s)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The URL of an S3 in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("discarding_s3.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def measure(layers: int, pairs: int, folder: Path, device: torch.device) -> dict[str, Any]:
    state, step = make_state(layers, WIDTH, device), make_step(device)
    body = Staging().stage(1, state, FACTS)
    results: dict[str, Any] = {"device": device.type, "state_bytes": len(body), "pairs": pairs}
    results |= measure_disk(body, folder, pairs)
    results |= measure_beside_local_save(step, body, folder, pairs)
    del body
    with s3_server() as url:
        session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")
        s3 = session.client("s3", endpoint_url=url)
        checkpoints = Checkpoints(s3, "s3://artifacts/runs/benchmark/run/", folder / "commits", {}, fencing=1)
        results |= measure_stall(state, checkpoints, pairs)
        results |= measure_beside_commit(step, state, checkpoints, pairs)
        checkpoints.close()
    results["upload_bytes_per_s"] = median([results["state_bytes"] / (results["commit_s"] - results["save_s"])])
    return results


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=LAYERS, help="of the transformer whose state is saved")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="measured of each comparison")
    parser.add_argument("--folder", type=Path, default=Path("build"), help="a folder on the disk to measure")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # as the launcher has it
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, contextlib.redirect_stdout(sys.stderr):
        results = measure(chosen.layers, chosen.pairs, Path(folder), torch.device(chosen.device))
    publish(results, chosen.json)


if __name__ == "__main__":
    main()
