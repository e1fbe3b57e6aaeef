"""A run's next attempt goes on behind whatever its earlier one has left."""

from __future__ import annotations

import pytest

from tests.lifecycle.driver import QUIET, Driver
from tests.lifecycle.history import check_rest
from tests.lifecycle.interpreter import LIVE, Execution


@pytest.mark.parametrize("steps", range(12))
def test_a_run_stopped_within_its_promotion_goes_on_as_its_next_attempt(steps: int) -> None:
    """Stopped so many steps after the promotion's start, with its promotion; forgotten is nothing."""
    driver = Driver(7, QUIET)
    cloud = driver.cloud
    cloud.world.add_team("vision")
    cloud.drop("manifests/vision/m.json", driver.manifest("vision", 1), "01")
    cloud.deliver(0, again=False)
    while not (promotions := of_machine(driver, "PromotionMachine")):
        cloud.step(cloud.ready()[0])
    for _ in range(steps):
        mine = [strand for strand in cloud.ready() if strand.owner is promotions[0]]
        if mine:
            cloud.step(mine[0])
    (run,) = of_machine(driver, "RunMachine")
    cloud.stop(run, ends_jobs=True)
    cloud.start_attempt(run.input["run_id"], 2)
    driver.run()
    check_rest(cloud)
    ends = [(one.status, one.redrive_count) for one in of_machine(driver, "RunMachine")]
    assert ends == [("ABORTED", 0), ("SUCCEEDED", 0)]
    assert all(one.status != LIVE for one in of_machine(driver, "PromotionMachine"))


def of_machine(driver: Driver, machine: str) -> list[Execution]:
    """The executions of a machine, oldest first."""
    return [one for one in driver.cloud.executions.values() if one.machine == machine]
