from __future__ import annotations

from pathlib import Path

import pytest

from cli import exit_codes
from cli.commands import local
from cli.errors import CommandError


def test_the_status_of_no_cloud_is_an_answer_too(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        local.status(tmp_path, json_only=True)
    assert raised.value.exit_code == exit_codes.NO_CLOUD
    told = raised.value.as_json()
    assert (told["running"], told["state_dir"]) == (False, str(tmp_path))
    assert told["error"]["cause"] == "no embedded cloud is running here"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be a state directory"), local._one_at_a_time(tmp_path / "file"):
        pass
