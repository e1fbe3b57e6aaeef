"""The real `sam` deploys, updates and deletes the stack on an embedded cloud of its own.

`make rehearsal` walks the same way with a real `sam build`, which takes minutes and an index of packages. Here layers
hold the project's own code only, so functions see the packages of this environment.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.play import Rehearsal
from tests.rehearsal.shell import missing, open_shell

LACK = missing(builds=False)


@pytest.mark.skipif(LACK is not None, reason=str(LACK))
@pytest.mark.timeout(900)
def test_a_stack_is_deployed_updated_under_a_running_execution_and_deleted(tmp_path: Path) -> None:
    rehearsal = Rehearsal(open_shell(tmp_path))
    rehearsal.leave_out_the_build()
    rehearsal.start_cloud()
    try:
        rehearsal.deploy()
        rehearsal.hold_a_run()
        rehearsal.change()
        rehearsal.update()
        rehearsal.finish_the_held_run()
        rehearsal.delete()
    finally:
        rehearsal.stop_cloud()
