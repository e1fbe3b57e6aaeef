from __future__ import annotations

import pytest

from tests.unit.cli.rebuild.lost import Lost
from tests.unit.turbine.arrange import World


@pytest.fixture
def lost() -> Lost:
    world = World()
    world.add_team("vision")
    return Lost(world)


@pytest.fixture
def unrecorded(lost: Lost) -> Lost:
    """From before the bucket kept each champion."""
    lost.with_records = False
    return lost
