"""The project's worst case, computed once, and the same project with something written otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.check.quotas import deployments, product
from cli.check.quotas.deployments import Project
from cli.check.quotas.product import Product

ROOT = Path(__file__).parents[5]


def written(changes: Mapping[str, list[tuple[str, str]]]) -> dict[str, str]:
    """Files in which one text stands for another."""
    texts = {}
    for name, pairs in changes.items():
        text = (ROOT / name).read_text()
        for before, after in pairs:
            assert before in text, f"{name} has no {before}"
            text = text.replace(before, after, 1)
        texts[name] = text
    return texts


@pytest.fixture(scope="session")
def project() -> Project:
    return deployments.read(ROOT)


@pytest.fixture(scope="session")
def ran(project: Project) -> Product:
    return product.run(project.stack_name, project.image)
