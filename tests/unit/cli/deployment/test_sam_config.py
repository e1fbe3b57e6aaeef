from __future__ import annotations

from pathlib import Path

import pytest

from cli.deployment.sam_config import parameter_overrides
from cli.errors import CommandError


def _write(folder: Path, overrides: str) -> Path:
    path = folder / "samconfig.toml"
    path.write_text(f"version = 0.1\n[laptop.deploy.parameters]\nparameter_overrides = {overrides}\n")
    return path


@pytest.mark.parametrize(
    "written",
    ['["A=1", "B=two words", "C="]', "'A=1 B=\"two words\" C='", '["A=1", "B=\\"two words\\"", "C="]'],
)
def test_a_list_and_a_text_mean_the_same(tmp_path: Path, written: str) -> None:
    assert parameter_overrides(_write(tmp_path, written), "laptop") == {"A": "1", "B": "two words", "C": ""}


def test_a_word_that_is_no_pair_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="'B' is not NAME=VALUE"):
        parameter_overrides(_write(tmp_path, '["A=1", "B"]'), "laptop")


def test_an_unknown_environment_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="it has: laptop"):
        parameter_overrides(_write(tmp_path, "[]"), "lptop")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no samconfig\.toml"):
        parameter_overrides(tmp_path / "samconfig.toml", "laptop")
