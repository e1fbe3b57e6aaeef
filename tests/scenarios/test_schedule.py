"""A schedule trains a team from the team's own file, with nobody dropping anything."""

from __future__ import annotations

import datetime as dt
import json
import uuid

import pytest

from tests.scenarios.live_cloud import Item, LiveCloud, wait_for

pytestmark = pytest.mark.xdist_group("scenarios")


def test_a_schedule_that_fires_starts_a_run_of_its_team(cloud: LiveCloud) -> None:
    name = f"once-{uuid.uuid4().hex[:8]}"
    scheduler = cloud.client("scheduler")
    role = scheduler.get_schedule(Name=f"{cloud.stack}-all-teams")["Target"]["RoleArn"]
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": cloud.outputs["TrainingMachineArn"],
            "RoleArn": role,
            "Input": json.dumps(
                {"schedule": name, "scheduled_time": "<aws.scheduler.scheduled-time>", "teams": ["winery"]}
            ),
        },
    )

    def spec() -> Item | None:
        for run in cloud.of_kind("run"):
            if run["team"] == "winery":
                read: Item = cloud.read_json(run["spec_uri"])
                if read["cause"]["kind"] == "schedule" and read["cause"]["schedule"] == name:
                    return read
        return None

    found = wait_for(spec, "the run of the schedule", 60)
    assert found["cause"]["scheduled_time"].startswith(f"{soon:%Y-%m-%dT%H:%M}")
    assert cloud.outcome(found["run_id"])["status"] == "SUCCEEDED"


def test_the_shared_schedule_is_twice_a_week_and_not_running_on_a_laptop(cloud: LiveCloud) -> None:
    schedule = cloud.client("scheduler").get_schedule(Name=f"{cloud.stack}-all-teams")
    assert schedule["ScheduleExpression"] == "cron(0 2 ? * MON,THU *)"
    assert json.loads(schedule["Target"]["Input"])["teams"] == ["*"]
    assert schedule["State"] == "DISABLED"
