"""What could not be delivered is kept in a queue, with what it was and why."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path

import pytest
import yaml

from tests.scenarios.conftest import ROOT, KeptDemo, turbine
from tests.scenarios.live_cloud import LiveCloud, wait_for

pytestmark = pytest.mark.xdist_group("scenarios")
TEAM = "almanac"


@pytest.fixture(scope="module")
def almanac(demo: KeptDemo, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A team with a schedule of its own, and without any data; returns the schedule's name."""
    folder: Path = tmp_path_factory.mktemp("teams")
    team = yaml.safe_load((ROOT / "examples/fifth_team/teams/botany.yaml").read_text())
    team |= {"team": TEAM, "schedule": {"cron": "cron(0 3 1 1 ? *)"}}
    team["dataset"]["source"]["uri"] = f"s3://${{DataBucket}}/datasets/{TEAM}/nothing/"
    (folder / f"{TEAM}.yaml").write_text(yaml.safe_dump(team))
    done = turbine("teams", "apply", "--teams-dir", str(folder), environment=demo.cloud.environment)
    assert done.returncode == 0, done.stderr
    return f"{demo.cloud.stack}-{TEAM}"


def _soon() -> str:
    """A schedule's expression for a moment that comes at once."""
    return f"at({dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2):%Y-%m-%dT%H:%M:%S})"


def test_a_teams_own_schedule_trains_that_team_alone(cloud: LiveCloud, almanac: str) -> None:
    """The deployed schedule, brought forward. The team has no data, which it is told."""
    scheduler = cloud.client("scheduler")
    deployed = scheduler.get_schedule(Name=almanac)
    scheduler.update_schedule(
        Name=almanac,
        ScheduleExpression=_soon(),
        FlexibleTimeWindow=deployed["FlexibleTimeWindow"],
        Target=deployed["Target"],
    )
    rejection = wait_for(
        lambda: next((one for one in cloud.of_kind("rejection") if one["team"] == TEAM), None), "the refusal"
    )
    assert rejection["field"] == "dataset.source.uri"
    assert json.loads(deployed["Target"]["Input"])["teams"] == [TEAM]


@pytest.mark.denials_expected
@pytest.mark.parametrize("schedule", ["turbine-all-teams", f"turbine-{TEAM}"])
def test_what_a_schedule_may_not_start_is_kept(cloud: LiveCloud, almanac: str, schedule: str) -> None:
    """A schedule's role may start the training machine and no other."""
    scheduler, name = cloud.client("scheduler"), f"dead-{uuid.uuid4().hex[:8]}"
    target = scheduler.get_schedule(Name=schedule)["Target"] | {"Arn": cloud.outputs["RunMachineArn"]}
    made = scheduler.create_schedule(
        Name=name, ScheduleExpression=_soon(), FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    kept = cloud.dead_letter(
        cloud.outputs["DeadLettersUrl"],
        lambda message: message["MessageAttributes"].get("SCHEDULE_ARN", {}).get("StringValue") == made["ScheduleArn"],
    )
    assert kept["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "AccessDeniedException"
    assert json.loads(kept["Body"])["teams"] == json.loads(target["Input"])["teams"]


@pytest.mark.parametrize(
    ("function", "stack", "error"),
    [
        ("RecordOutcomeFunction", None, "ValidationError"),
        ("CloseInferenceFunction", "Prediction", "ValidationError"),
        ("ReconcileRegistryFunction", None, "EventNotUnderstoodError"),
    ],
)
def test_an_event_that_a_function_fails_on_each_time_is_kept(
    cloud: LiveCloud, function: str, stack: str | None, error: str
) -> None:
    event = {"id": uuid.uuid4().hex, "detail": "no object"}
    queue = cloud.resource("DeadLetters", stack)
    cloud.client("lambda").invoke(
        FunctionName=cloud.resource(function, stack), InvocationType="Event", Payload=json.dumps(event).encode()
    )
    kept = cloud.dead_letter(queue, lambda message: event["id"] in message["Body"])
    told = json.loads(kept["Body"])
    assert told["requestContext"]["condition"] == "RetriesExhausted"
    assert (told["requestPayload"], told["responsePayload"]["errorType"]) == (event, error)
