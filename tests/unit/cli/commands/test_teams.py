from __future__ import annotations

import pytest

from cli import exit_codes
from cli.commands import teams
from cli.errors import CommandError


@pytest.mark.parametrize("name", ["vision\n", "../vision", "Vision", "v", ""])
def test_only_a_teams_name_is_removed(name: str) -> None:
    with pytest.raises(CommandError, match="not a team's name") as raised:
        teams.remove(name)
    assert raised.value.exit_code == exit_codes.REFUSED
