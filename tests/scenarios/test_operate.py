"""An engineer stops a run and goes on with it by the command: from where it ended, or as its next attempt."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import pytest

from cli import exit_codes
from tests.scenarios.conftest import KeptDemo, turbine
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import clone_finished_run, run_id_of, winery
from tests.scenarios.training_jobs import ENDED, jobs_of, log_events, wait_for_epoch

pytestmark = pytest.mark.xdist_group("scenarios")
LONG_EPOCHS = 600
LONG = {"name": "tabular_classifier", "hyperparameters": {"epochs": LONG_EPOCHS, "hidden": [64]}}


def typed(cloud: LiveCloud, *arguments: str) -> tuple[int, dict[str, Any]]:
    """`turbine … --json`: its exit code and what it printed."""
    done = turbine(*arguments, "--json", environment=cloud.environment)
    return done.returncode, json.loads(done.stdout)


def test_a_run_is_stopped_and_goes_on_where_it_was(cloud: LiveCloud) -> None:
    name = f"stopped-{uuid.uuid4().hex[:8]}.json"
    cloud.put(f"manifests/winery/{name}", winery(cloud, recipe=LONG))
    run_id = run_id_of(cloud, name)
    job = wait_for(lambda: next(iter(jobs_of(cloud, run_id)), None), "its job")
    wait_for_epoch(cloud, job["jobId"])
    assert typed(cloud, "redrive", run_id)[0] == exit_codes.REFUSED  # it has not ended

    code, told = typed(cloud, "stop", run_id, "--reason", "wrong data")
    assert (code, told["status"], len(told["executions"])) == (exit_codes.OK, "ABORTED", 1)
    wait_for(lambda: all(job["status"] in ENDED for job in jobs_of(cloud, run_id)) or None, "the end of its jobs")
    assert "wrong data" in cloud.outcome(run_id)["cause"]
    code, again = typed(cloud, "stop", run_id)
    assert (code, again["executions"], again["jobs"]) == (exit_codes.OK, [], [])

    code, gone_on = typed(cloud, "redrive", run_id)
    assert (code, gone_on["how"]) == (exit_codes.OK, "redrive")
    assert cloud.ended(gone_on["execution_arn"], limit_s=180)["status"] == "SUCCEEDED"
    epochs = [
        event["epoch"]
        for job in jobs_of(cloud, run_id)
        for event in log_events(cloud, job["jobId"])
        if event["event"] == "epoch"
    ]
    assert sorted(epochs) == list(range(1, LONG_EPOCHS + 1)), "an epoch was trained twice, or not at all"
    wait_for(lambda: cloud.outcome(run_id)["status"] == "SUCCEEDED" or None, "its new outcome")
    code, refused = typed(cloud, "redrive", run_id)
    assert (code, "it has succeeded" in refused["error"]["cause"]) == (exit_codes.REFUSED, True)


def test_what_step_functions_has_forgotten_starts_its_next_attempt(cloud: LiveCloud, botany: str) -> None:
    run_id = f"botany-again-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    place = f"runs/botany/{run_id}/_SUCCESS"
    good = cloud.read_json(cloud.run_uri("botany", run_id, "_SUCCESS"))
    bad = json.loads(json.dumps(good))
    bad["files"]["model.tar.gz"]["sha256"] = "0" * 64
    cloud.put(place, bad, cloud.outputs["ArtifactBucketName"])
    assert cloud.ended(cloud.start("RunMachineArn", machine_input, run_id))["status"] == "FAILED"
    assert cloud.outcome(run_id)["error"] == "ArtifactCorruptError"
    record = {"pk": f"RUN#{run_id}", "sk": "RECORD", "kind": "run", "run_id": run_id, "team": "botany"}
    record |= {"spec_uri": machine_input["spec_uri"], "created_at": "2026-01-01T00:00:00.000Z"}
    dynamodb, table = cloud.client("dynamodb"), cloud.outputs["TableName"]
    dynamodb.put_item(TableName=table, Item={name: {"S": value} for name, value in record.items()})
    forgotten = cloud.execution_arn("RunMachineArn", "forgotten-long-ago")
    for key in ("CLAIM", "OUTCOME"):
        dynamodb.update_item(
            TableName=table,
            Key={"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": key}},
            UpdateExpression="SET #arn = :arn",
            ExpressionAttributeNames={"#arn": "owner" if key == "CLAIM" else "execution_arn"},
            ExpressionAttributeValues={":arn": {"S": forgotten}},
        )
    cloud.put(place, good, cloud.outputs["ArtifactBucketName"])

    code, gone_on = typed(cloud, "redrive", run_id)
    assert (code, gone_on["how"]) == (exit_codes.OK, "attempt"), gone_on
    assert "forgotten" in gone_on["why"] and gone_on["execution_arn"].endswith(f":{run_id}-a2")
    assert cloud.ended(gone_on["execution_arn"])["status"] == "SUCCEEDED"
    wait_for(lambda: cloud.outcome(run_id)["status"] == "SUCCEEDED" or None, "the outcome of the second attempt")
    dynamodb.delete_item(TableName=table, Key={"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": "RECORD"}})


def test_a_run_whose_manifest_has_a_newer_version_does_not_go_on(cloud: LiveCloud) -> None:
    name = f"older-{uuid.uuid4().hex[:8]}.json"
    cloud.put(f"manifests/winery/{name}", winery(cloud, recipe=LONG))
    run_id = run_id_of(cloud, name)
    assert typed(cloud, "stop", run_id)[1]["status"] == "ABORTED"
    cloud.put(f"manifests/winery/{name}", {"team": "winery", "schema_version": 1})
    wait_for(
        lambda: any(one["manifest_uri"].endswith(name) for one in cloud.of_kind("rejection")) or None,
        "the refusal of the newer version",
    )
    code, refused = typed(cloud, "redrive", run_id)
    assert code == exit_codes.REFUSED
    assert "a newer version of its manifest has come since" in refused["error"]["cause"]


def test_an_undelivered_event_is_delivered_again_and_meets_the_run_that_is_there(demo: KeptDemo) -> None:
    """As EventBridge leaves it in the queue, for a run that was started by another delivery of the same event."""
    cloud = demo.cloud
    run = demo.runs(team="vision", round=2)[0]
    record = cloud.item(f"RUN#{run['run_id']}", "RECORD")
    assert record is not None
    stepfunctions, sqs = cloud.client("stepfunctions"), cloud.client("sqs")
    event = stepfunctions.describe_execution(executionArn=record["training_execution_arn"])["input"]
    told = {"TARGET_ARN": cloud.outputs["TrainingMachineArn"], "ERROR_CODE": "ThrottlingException"}
    sent = sqs.send_message(
        QueueUrl=cloud.outputs["DeadLettersUrl"],
        MessageBody=event,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in told.items()},
    )
    runs, outcome = len(cloud.of_kind("run")), cloud.outcome(run["run_id"])

    code, listed = typed(cloud, "dlq", "list")
    (letter,) = [one for one in listed["messages"] if one["message_id"] == sent["MessageId"]]
    assert code == exit_codes.OK
    assert (letter["event"], letter["why"]) == ("Object Created of manifests/vision/vision.json", "ThrottlingException")

    def redriven() -> dict[str, Any] | None:
        """Who looked a moment ago keeps a message from other readers for a while."""
        code, told = typed(cloud, "dlq", "redrive", sent["MessageId"])
        return told if code == exit_codes.OK else None

    (done,) = wait_for(redriven, "the replay")["redriven"]
    ended = cloud.ended(done["started"])
    assert ended["status"] == "SUCCEEDED"
    assert [one["status"] for one in json.loads(ended["output"])["runs"]] == ["DUPLICATE"]
    assert (len(cloud.of_kind("run")), cloud.outcome(run["run_id"])) == (runs, outcome)
    assert sent["MessageId"] not in {one["message_id"] for one in typed(cloud, "dlq", "list")[1]["messages"]}
    assert typed(cloud, "dlq", "redrive")[0] == exit_codes.REFUSED


def test_a_run_that_step_functions_never_started_is_found_and_goes_on(cloud: LiveCloud, botany: str) -> None:
    run_id = f"botany-unstarted-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    stepfunctions, machine = cloud.client("stepfunctions"), cloud.outputs["TrainingMachineArn"]
    fan_outs = stepfunctions.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED")["executions"]
    record = {"pk": f"RUN#{run_id}", "sk": "RECORD", "kind": "run", "run_id": run_id, "team": "botany"}
    record |= {"spec_uri": machine_input["spec_uri"], "training_execution_arn": fan_outs[0]["executionArn"]}
    record |= {"manifest_uri": f"s3://data/manifests/botany/{run_id}.json"}
    record |= {"created_at": (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).isoformat().replace("+00:00", "Z")}
    item = {name: {"S": value} for name, value in record.items()}
    cloud.client("dynamodb").put_item(TableName=cloud.outputs["TableName"], Item=item)

    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    swept, is_error = cloud.invoke("RecordOutcomeFunction", scheduled)
    assert (swept, is_error) == ({"swept": [run_id]}, False)
    outcome = cloud.outcome(run_id)
    assert (outcome["status"], outcome["error"]) == ("FAILED", "RunNotStarted")
    assert outcome["next_step"].endswith(f"turbine redrive {run_id}")

    code, gone_on = typed(cloud, "redrive", run_id)
    assert (code, gone_on["how"], "it never started" in gone_on["why"]) == (exit_codes.OK, "attempt", True)
    assert cloud.ended(gone_on["execution_arn"])["status"] == "SUCCEEDED"
    wait_for(lambda: cloud.outcome(run_id)["status"] == "SUCCEEDED" or None, "its outcome")
