from __future__ import annotations

import pytest

from tests.unit.turbine.arrange import World


@pytest.fixture
def world() -> World:
    """Two teams, `vision` and `tabular`, with data and nothing trained yet."""
    made = World()
    made.add_team("vision")
    made.add_team("tabular")
    return made
