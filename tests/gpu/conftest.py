"""Everything here needs a GPU, and says so where there is none."""

from collections.abc import Iterator

import boto3
import pytest
import torch

from tests.unit.training.conftest import Workbench
from tests.unit.training.test_gang import endpoint
from training.job import settle_arithmetic
from training.world import World

__all__ = ["endpoint"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Called with the items of the whole session."""
    for item in items:
        if "gpu" in item.path.parent.name:
            item.add_marker(pytest.mark.gpu)
            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="torch sees no CUDA device on this machine"))


@pytest.fixture(autouse=True, scope="session")
def deterministic_products() -> Iterator[None]:
    """As the launcher has it, before the first product: cuBLAS reads it once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        yield


@pytest.fixture
def remote_bench(endpoint: str) -> Workbench:
    return Workbench(boto3.client("s3"))


@pytest.fixture
def deterministic() -> Iterator[None]:
    """As the job has it on a GPU."""
    settle_arithmetic(World(0, 1, torch.device("cuda")))
    yield
    torch.use_deterministic_algorithms(False)
