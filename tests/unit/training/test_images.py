"""The images hold what the code needs, in the versions it was tested with."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

BATCH_JOBS = Path(__file__).parents[3] / "batch_jobs"
ALLOWED = {"FROM", "WORKDIR", "COPY", "ENV", "RUN", "ENTRYPOINT", "CMD", "EXPOSE", "LABEL", "USER", "ARG"}


@pytest.mark.parametrize("image", ["training", "inference"])
def test_requirements_are_the_installed_versions(image: str) -> None:
    for line in (BATCH_JOBS / image / "requirements.txt").read_text().splitlines():
        name, pinned = line.split("==")
        assert version(name).partition("+")[0] == pinned, name


@pytest.mark.parametrize("image", ["training", "inference"])
def test_dockerfiles_use_only_what_the_contract_allows(image: str) -> None:
    lines = (BATCH_JOBS / image / "Dockerfile").read_text().splitlines()
    instructions = [line.split() for line in lines if line and not line.startswith("#")]
    assert {words[0] for words in instructions} <= ALLOWED
    assert all(words[1:3] == ["pip", "install"] for words in instructions if words[0] == "RUN")
    base = next(words[1] for words in instructions if words[0] == "FROM")
    assert re.search(r":\d+\.\d+\.\d+", base), "the base image is pinned by its tag"
