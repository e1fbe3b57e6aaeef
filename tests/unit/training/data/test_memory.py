"""How much memory data may take: what is left of the container's, for each process of the node."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.data import ShardReader, memory
from training.data.source import Source
from training.spec import Dataset, Shard

GIB = 2**30


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with 8 GiB to be had, and no control groups yet."""
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.delenv(memory.BUDGET_VARIABLE, raising=False)
    for name in ("MEMINFO", "OWN_CGROUPS", "CGROUPS"):
        monkeypatch.setattr(memory, name, tmp_path / name.lower())
    (tmp_path / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:   {8 * GIB // 1024} kB\n")
    (tmp_path / "own_cgroups").write_text("0::/\n")
    (tmp_path / "cgroups").mkdir()
    return tmp_path


def limit(folder: Path, limit_bytes: int | str, used_bytes: int, names: tuple[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit_bytes}\n")
    (folder / names[1]).write_text(f"{used_bytes}\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
V2 = ("memory.max", "memory.current")


def test_without_a_limit_it_is_half_of_what_the_host_has_left(host: Path) -> None:
    limit(host / "cgroups", "max", GIB, V2)
    assert memory.data_budget_bytes() == 4 * GIB


def test_the_processes_of_a_node_share(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory.data_budget_bytes() == GIB


def test_the_containers_limit_counts(host: Path) -> None:
    (host / "own_cgroups").write_text("0::/ecs/task/container\n")
    limit(host / "cgroups", 3 * GIB, GIB, V2)  # as seen inside: its own group is the root
    assert memory.data_budget_bytes() == GIB


def test_the_tightest_of_a_groups_parents_counts(host: Path) -> None:
    (host / "own_cgroups").write_text("0::/ecs/task\n")
    limit(host / "cgroups/ecs/task", "max", 0, V2)
    limit(host / "cgroups/ecs", 4 * GIB, 3 * GIB, V2)
    assert memory.data_budget_bytes() == GIB / 2


def test_the_first_version_of_control_groups_counts(host: Path) -> None:
    (host / "own_cgroups").write_text("5:cpu:/a\n4:memory:/docker/x\n")
    limit(host / "cgroups/memory/docker/x", 6 * GIB, 2 * GIB, V1)
    assert memory.data_budget_bytes() == 2 * GIB


def test_a_group_over_its_limit_leaves_nothing(host: Path) -> None:
    limit(host / "cgroups", GIB, 2 * GIB, V2)
    assert memory.data_budget_bytes() == 0


def test_the_environment_decides(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.BUDGET_VARIABLE, "12345")
    assert memory.data_budget_bytes() == 12345


def test_memory_is_given_back_after_each_shard(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the heap keeps the most that each of the reading threads has had."""
    calls: list[None] = []
    monkeypatch.setattr("training.data.source.give_back", lambda: calls.append(None))
    shards = [bench.put_shard(pa.table({"a": [1.0, 2.0], "class": [0, 1]}), f"{name}.parquet") for name in "xyz"]
    pinned = [Shard.model_validate(shard) for shard in shards]
    dataset = Dataset(name="d", version="v", format="parquet", target="class", shards=pinned)
    source = Source(dataset, ShardReader(bench.s3))
    assert sum(len(block.labels) for block in source.survey()) == 6
    assert len(calls) == 3
    list(source.read(source.units, lambda unit: np.ones(len(unit.row_ids), bool)))
    assert len(calls) == 6
