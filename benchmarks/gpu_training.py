"""The trainer on one GPU: its rows a second over a bare PyTorch loop's, and how well it keeps the GPU busy.

Both loops (benchmarks/loops.py) train in bfloat16 autocast under deterministic algorithms, as the job does on a GPU,
and take turns in one process; a turn begins and ends when the GPU has nothing left to do.

    transformer   a sequence_classifier of GPT-2's smallest size, whose steps take the GPU tens of milliseconds
    compiled      the same under torch.compile, both loops
    perceptron    a step so small that the host is what takes the time: the worst case for what the trainer adds

    mfu           6 · parameters · tokens / (time · peak): no recomputation, attention's own products not counted. The
                  peak is the vendor's for dense bfloat16 products, and beside it that of a large product measured here
    idle_share    1 - (time in which a kernel or a copy ran, from a profiled turn) / (time of an unprofiled one)
    peak_bytes    the most that the loop's tensors took, over what was there before it was made

    python benchmarks/gpu_training.py --json
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "batch_jobs")]
# As the launcher does, before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch  # noqa: E402
from moto import mock_aws  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.autograd import DeviceType  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402
from torch.utils import deterministic as _deterministic  # noqa: E402

from benchmarks.loops import AWS, TABULAR, Bare, Ours, Workload, wait_for  # noqa: E402
from benchmarks.measure import arguments, median, publish, ratios, seconds, spread, take_turns  # noqa: E402
from training.world import World, find_world  # noqa: E402

PAIRS = 10
TOKENS = 256
TRANSFORMER = Workload(
    "sequence_classifier",
    features=256,  # places
    classes=10,
    batch=64,
    steps_a_turn=40,
    own_hyperparameters={"width": 768, "heads": 12, "layers": 12, "vocabulary_size": TOKENS},
    tokens=TOKENS,
    checkpoint_every_s=3600.0,  # what a checkpoint costs is measured by benchmarks/checkpoint.py
)
# Dense bfloat16 FLOP/s of the SXM cards. Source: NVIDIA's H100 and H200 datasheets.
PEAKS = {"H100": 989.4e12, "H200": 989.4e12}
PRODUCT_WIDTH, PRODUCTS = 8192, 10
CPU_ROWS = 4
# With torch.compile or without.
RUNS = {"transformer": (TRANSFORMER, False), "compiled": (TRANSFORMER, True), "perceptron": (TABULAR, False)}

Loop = TypeVar("Loop", Bare, Ours)
# A module whose attributes are properties.
DETERMINISTIC: Any = _deterministic


def measure_loops(workload: Workload, world: World, pairs: int, folder: Path, compiled: bool = False) -> dict[str, Any]:
    """The trainer over the bare loop with torch.optim.AdamW's default on a GPU, and with its fused form."""
    torch.manual_seed(1)
    profile_, task = workload.make_profile(folder)
    ours, ours_bytes = made(lambda: Ours(workload, profile_, task, world, folder, compiled), world)
    fused, fused_bytes = made(lambda: Bare(workload, profile_, world, fused=True, compiled=compiled), world)
    bare, _ = made(lambda: Bare(workload, profile_, world, compiled=compiled), world)
    bare_s, ours_s = take_turns(pairs, bare.turn, ours.turn)
    fused_s, beside_fused_s = take_turns(pairs, fused.turn, ours.turn)
    rows = profile_.row_counts["train"]
    steps = -(-rows // workload.batch)
    speed, over_fused = ratios(bare_s, ours_s), ratios(fused_s, beside_fused_s)
    results = {
        "trainer_over_bare": median(speed),
        "spread": spread(speed),
        "trainer_over_bare_with_fused_adamw": median(over_fused),
        "spread_with_fused_adamw": spread(over_fused),
        "pairs": pairs,
        "bare_step_ms": median([1000 * s / steps for s in bare_s]),
        "fused_bare_step_ms": median([1000 * s / steps for s in fused_s]),
        "trainer_step_ms": median([1000 * s / steps for s in ours_s]),
        "trainer_rows_per_s": median([rows / s for s in ours_s]),
        "trainer_peak_bytes": ours_bytes,
        "fused_bare_peak_bytes": fused_bytes,
    }
    if not compiled:
        results |= measure_determinism(ours, pairs)
    # Last, as `measure_alone` says.
    results["trainer_idle_share"] = idle_share(ours, median(ours_s))
    results["fused_bare_idle_share"] = idle_share(fused, median(fused_s))
    return results


def made(make: Callable[[], Loop], world: World) -> tuple[Loop, int]:
    """A loop after its first turns, and the most memory it took in the last of them, over what was taken before."""
    before = torch.cuda.memory_allocated(world.device)
    loop = make()
    loop.turn()
    torch.cuda.reset_peak_memory_stats(world.device)
    loop.turn()
    return loop, torch.cuda.max_memory_allocated(world.device) - before


def idle_share(loop: Bare | Ours, turn_s: float) -> float:
    """The share of a turn of `turn_s` in which the GPU had nothing to do."""
    profiler = profile(activities=[ProfilerActivity.CUDA])
    profiler.start()
    if isinstance(loop, Ours):
        loop.turn(at_end=profiler.stop)
    else:
        loop.turn()
        profiler.stop()
    events = profiler.events() or []
    ran = [
        (event.time_range.start, event.time_range.end)
        for event in events
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
    return median([1 - covered(ran) * 1e-6 / turn_s])


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """How long at least one of them lasted."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def measure_determinism(ours: Ours, pairs: int) -> dict[str, Any]:
    """What torch's deterministic algorithms cost, and what it would cost to fill memory that nothing has written."""

    def turn(deterministic: bool, fill: bool) -> float:
        with determinism(deterministic, fill):
            return ours.turn()

    turn(False, False)
    with_s, without_s = take_turns(pairs, partial(turn, True, False), partial(turn, False, False))
    filled_s, unfilled_s = take_turns(pairs, partial(turn, True, True), partial(turn, True, False))
    cost, filling = ratios(with_s, without_s), ratios(filled_s, unfilled_s)
    return {
        "deterministic_over_not": median(cost),
        "deterministic_over_not_spread": spread(cost),
        "filling_over_not": median(filling),
        "filling_over_not_spread": spread(filling),
    }


@contextlib.contextmanager
def determinism(wanted: bool, fill: bool = False) -> Any:
    """torch's deterministic algorithms. The job has them, and does not have new memory filled."""
    before = torch.are_deterministic_algorithms_enabled(), DETERMINISTIC.fill_uninitialized_memory
    torch.use_deterministic_algorithms(wanted)
    DETERMINISTIC.fill_uninitialized_memory = fill
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        DETERMINISTIC.fill_uninitialized_memory = before[1]


def product_flops(device: torch.device) -> float:
    """FLOP/s of a large bfloat16 product: of several, the median."""
    left, right = (torch.randn(PRODUCT_WIDTH, PRODUCT_WIDTH, device=device, dtype=torch.bfloat16) for _ in range(2))

    def multiply() -> None:
        torch.mm(left, right)
        wait_for(device)

    for _ in range(3):
        multiply()
    return 2 * PRODUCT_WIDTH**3 / median([seconds(multiply) for _ in range(PRODUCTS)])


def utilisation(workload: Workload, rows_per_s: float, flops: float) -> dict[str, Any]:
    """MFU against the vendor's peak, where the card is known, and against `flops`, that of a large product."""
    parameters = sum(parameter.numel() for parameter in workload.make_model().parameters())
    reached = 6 * parameters * workload.features * rows_per_s
    card = torch.cuda.get_device_name()
    peak = next((peak for name, peak in PEAKS.items() if name in card), None)
    return {
        "parameters": parameters,
        "tokens_a_step": workload.batch * workload.features,
        "mfu": None if peak is None else median([reached / peak]),
        "over_large_product": median([reached / flops]),
    }


def cpu_rows_per_s(workload: Workload, threads: int, times: int) -> float:
    """Of forward, loss, backward and AdamW in float32, which is what the job does on a CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    model = workload.make_model()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    tokens = torch.randint(0, workload.tokens or 2, (CPU_ROWS, workload.features)).float()
    targets = torch.randint(0, workload.classes, (CPU_ROWS,))
    step = partial(take_step, model, optimizer, tokens, targets)
    step()
    step_s = median([seconds(step) for _ in range(times)])
    torch.set_num_threads(before)
    return median([CPU_ROWS / step_s])


def take_step(model: nn.Module, optimizer: torch.optim.Optimizer, features: Tensor, targets: Tensor) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(features), targets).backward()
    optimizer.step()


def measure(name: str, pairs: int) -> dict[str, Any]:
    """One of RUNS, or what the CPUs here do."""
    if name == "cpu":
        cores = len(os.sched_getaffinity(0))
        return {
            "cores": cores,
            "rows_per_s_on_one_core": cpu_rows_per_s(TRANSFORMER, 1, times=1),
            "rows_per_s_on_all_cores": cpu_rows_per_s(TRANSFORMER, cores, times=3),
        }
    world, (workload, compiled) = find_world(), RUNS[name]
    flops = product_flops(world.device)
    with mock_aws(), tempfile.TemporaryDirectory() as folder, determinism(True):
        results = measure_loops(workload, world, pairs, Path(folder), compiled)
    results |= {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "large_product_flops": flops}
    if workload is TRANSFORMER:
        results |= utilisation(workload, results["trainer_rows_per_s"], flops)
    return results


def measure_alone(name: str, pairs: int) -> dict[str, Any]:
    """`measure` in a process of its own: one that has profiled seems to launch kernels more slowly ever after."""
    command = [sys.executable, __file__, "--json", "--pairs", str(pairs), "--only", name]
    answer = subprocess.run(command, env=os.environ | AWS, stdout=subprocess.PIPE, text=True, check=True)
    results: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    print(name, results, file=sys.stderr, flush=True)
    return results


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--only", choices=[*RUNS, "cpu"], help="one of its parts")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("torch sees no CUDA device here: run benchmarks/training.py, which needs none")
    if options.only:
        os.environ |= AWS
        publish(measure(options.only, options.pairs), options.json)
        return
    publish({name: measure_alone(name, options.pairs) for name in [*RUNS, "cpu"]}, options.json)


if __name__ == "__main__":
    main()
