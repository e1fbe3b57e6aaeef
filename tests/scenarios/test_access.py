"""People with the stack's policies and a team's tag type the command, and get what docs/access.md says."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cli import app, exit_codes
from tests.contracts.access_table import POLICIES_OF
from tests.scenarios.conftest import STRICTNESS, KeptDemo
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import clone_finished_run

pytestmark = [
    pytest.mark.skipif(STRICTNESS["TURBINE_LOCAL_STRICT"] != "1", reason="TURBINE_TEST_STRICT=0"),
    pytest.mark.xdist_group("scenarios"),
]


class Person:
    """A user of the cloud's IAM, with keys of his own."""

    def __init__(self, cloud: LiveCloud, kind: str, team: str | None) -> None:
        self._iam, self.name = cloud.client("iam"), f"{kind}-{uuid.uuid4().hex[:6]}"
        self._iam.create_user(UserName=self.name, Tags=[{"Key": "team", "Value": team}] if team else [])
        self._policies = [cloud.outputs[f"{name}Arn"] for name in POLICIES_OF[kind]]
        for arn in self._policies:
            self._iam.attach_user_policy(UserName=self.name, PolicyArn=arn)
        self._key = self._iam.create_access_key(UserName=self.name)["AccessKey"]
        own = {"AWS_ACCESS_KEY_ID": self._key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": self._key["SecretAccessKey"]}
        self.environment = {**cloud.environment, **own}

    def client(self, service: str) -> Any:
        session = boto3.session.Session(self._key["AccessKeyId"], self._key["SecretAccessKey"])
        create: Any = session.client
        region, endpoint = (self.environment[name] for name in ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"))
        return create(service, region_name=region, endpoint_url=endpoint)

    def leave(self) -> None:
        for arn in self._policies:
            self._iam.detach_user_policy(UserName=self.name, PolicyArn=arn)
        self._iam.delete_access_key(UserName=self.name, AccessKeyId=self._key["AccessKeyId"])
        self._iam.delete_user(UserName=self.name)


@pytest.fixture
def hire(demo: KeptDemo) -> Iterator[Callable[..., Person]]:
    """`hire("member", "vision")`: a person who is gone after the test."""
    people: list[Person] = []

    def come(kind: str, team: str | None = None) -> Person:
        people.append(Person(demo.cloud, kind, team))
        return people[-1]

    yield come
    for person in people:
        person.leave()


@pytest.fixture
def turbine_as(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """`turbine_as(person, "runs")`: the exit code of the command with `--json`, and what it printed."""

    def run(person: Person, *arguments: str) -> tuple[int, Any]:
        for name, value in person.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        monkeypatch.setattr("sys.argv", ["turbine", *arguments, "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    return run


def denied(answer: tuple[int, Any], action: str, resource: str) -> bool:
    """Whether the command failed and its message names the action and the resource."""
    code, told = answer
    cause = told["error"]["cause"]
    return (
        code == exit_codes.FAILED
        and f"is not authorized to perform: {action} on resource: " in cause
        and (resource in cause)
    )


def _manifest(folder: Path, team: str) -> str:
    """One that is refused on arrival, so that nothing is trained for what IAM has to say."""
    path = folder / f"{team}-access.json"
    dataset = {
        "name": "none",
        "source": {"type": "s3", "uri": "s3://${DataBucket}/datasets/none/"},
        "format": "parquet",
    }
    path.write_text(json.dumps({"schema_version": 1, "team": team, "dataset": {**dataset, "target": "t"}}))
    return str(path)


def test_a_member_works_for_the_own_team_only(demo: KeptDemo, hire: Any, turbine_as: Any, tmp_path: Path) -> None:
    member = hire("member", "vision")
    own, others = demo.runs(team="vision")[0], demo.runs(team="winery")[0]

    code, told = turbine_as(member, "drop", _manifest(tmp_path, "vision"), "--wait")
    assert (code, told["runs"][0]["status"]) == (exit_codes.REFUSED, "REFUSED")
    assert denied(turbine_as(member, "drop", _manifest(tmp_path, "winery")), "s3:PutObject", "/manifests/winery/")

    code, told = turbine_as(member, "runs", "--team", "vision")
    assert code == exit_codes.OK
    assert own["run_id"] in {run["run_id"] for run in told["runs"]}
    code, told = turbine_as(member, "show", own["run_id"])
    assert (code, told["decision"]) == (exit_codes.OK, own["decision"])
    assert denied(turbine_as(member, "show", others["run_id"]), "dynamodb:Query", "table/")

    code, told = turbine_as(member, "models", "vision")
    assert (code, bool(told["models"])) == (exit_codes.OK, True)
    code, told = turbine_as(member, "models", "rebuild", "vision")
    assert (code, {line["status"] for line in told["teams"][0]["history"]}) == (exit_codes.OK, {"present"})
    told = turbine_as(member, "models", "winery")
    assert denied(told, "sagemaker:DescribeModelPackageGroup", "model-package-group/turbine-winery")
    assert denied(turbine_as(member, "teams", "apply"), "cloudformation:DescribeStacks", "stack/turbine-team-")


def test_an_engineer_looks_at_everything_and_trains_nothing(
    demo: KeptDemo, hire: Any, turbine_as: Any, tmp_path: Path
) -> None:
    engineer = hire("engineer")
    code, told = turbine_as(engineer, "runs", "--limit", "5")
    assert (code, len(told["runs"])) == (exit_codes.OK, 5)
    for team in ("vision", "winery"):
        assert turbine_as(engineer, "show", demo.runs(team=team)[0]["run_id"])[0] == exit_codes.OK
        assert turbine_as(engineer, "models", team)[0] == exit_codes.OK
    code, told = turbine_as(engineer, "models", "rebuild", "vision", "winery")
    assert (code, [one["written"] for one in told["teams"]]) == (exit_codes.OK, [[], []])
    assert denied(turbine_as(engineer, "drop", _manifest(tmp_path, "vision")), "s3:PutObject", "/manifests/vision/")
    code, told = turbine_as(engineer, "teams", "apply")
    assert (code, set(told["teams"].values())) == (exit_codes.OK, {"unchanged"})


def test_a_lead_promotes_for_the_own_team_only(demo: KeptDemo, hire: Any, botany: str) -> None:
    cloud, lead = demo.cloud, hire("lead", "botany")
    before = cloud.item("TEAM#botany", "CHAMPION")
    assert before is not None
    asked = {
        **{name: before[name] for name in ("run_id", "model_package_arn")},
        "model_version": int(before["model_version"]),
        "expected_champion_version": int(before["champion_version"]),
        "reason": 'back to it", "team": "winery',
    }
    events = lead.client("events")

    def ask(team: str, kind: str = "PromotionRequested", **changes: Any) -> None:
        detail = json.dumps(asked | changes)
        entry = {"Source": f"{cloud.stack}.team.{team}", "DetailType": kind, "Detail": detail}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    for refused in (lambda: ask("winery"), lambda: ask("botany", "ModelPromoted")):
        with pytest.raises(ClientError, match="not authorized to perform: events:PutEvents"):
            refused()
    start = lead.client("stepfunctions").start_execution
    with pytest.raises(ClientError, match="not authorized to perform: states:StartExecution"):
        start(stateMachineArn=cloud.outputs["PromotionMachineArn"], input=json.dumps(asked))

    ask("botany")

    def promoted() -> dict[str, Any] | None:
        champion = cloud.item("TEAM#botany", "CHAMPION")
        return champion if champion and champion["champion_version"] > before["champion_version"] else None

    champion = wait_for(promoted, "the promotion that was asked for")
    assert (champion["run_id"], champion["actor"]) == (before["run_id"], "a lead of botany")
    assert champion["reason"] == asked["reason"]

    # In the own team's name for another team's run.
    other = demo.runs(team="winery", decision="promoted")[0]
    ask("botany", run_id=other["run_id"], model_package_arn=other["model_package_arn"])
    machine, stepfunctions = cloud.outputs["PromotionMachineArn"], lead.client("stepfunctions")

    def failed() -> dict[str, Any] | None:
        listed = stepfunctions.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"]
        ended = [stepfunctions.describe_execution(executionArn=one["executionArn"]) for one in listed]
        return next((one for one in ended if other["run_id"] in one["input"]), None)

    assert "is none of team botany's" in wait_for(failed, "the refused promotion")["cause"]


def test_a_lead_promotes_and_rolls_back_by_the_command(demo: KeptDemo, hire: Any, turbine_as: Any, botany: str) -> None:
    cloud, lead = demo.cloud, hire("lead", "botany")
    before = cloud.item("TEAM#botany", "CHAMPION")
    assert before is not None
    run_id = f"botany-other-{uuid.uuid4().hex[:12]}"
    clone = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    assert cloud.ended(cloud.start("RunMachineArn", clone, run_id))["status"] == "SUCCEEDED"
    package = cloud.item(f"RUN#{run_id}", "PACKAGE")
    assert package is not None and (cloud.item("TEAM#botany", "CHAMPION") or {})["run_id"] == before["run_id"]
    version = str(int(package["model_version"]))

    registry_of_winery = ("sagemaker:DescribeModelPackageGroup", "model-package-group/turbine-winery")
    code, told = turbine_as(lead, "promote", "botany", version, "--reason", "the other one drifts")
    assert code == exit_codes.OK, told
    assert told["champion"]["run_id"] == run_id and told["before"]["run_id"] == before["run_id"]
    assert cloud.approved("botany") == [package["model_package_arn"]]
    refused = {
        ("promote", "botany", version, "--reason", "again"): "is the champion of team botany already",
        ("promote", "botany", "999", "--reason", "none"): "has no model version 999",
        ("promote", "botany", "1", "--reason", " "): "--reason is empty",
        ("rollback", "botany", "--to", version, "--reason", "none"): "is not a former champion",
        ("models", "botany", "--on", "yesterday"): "is no day and no moment",
    }
    for arguments, words in refused.items():
        code, failed = turbine_as(lead, *arguments)
        assert code == exit_codes.REFUSED and words in failed["error"]["cause"], failed
        assert failed["error"]["next"]
    assert denied(turbine_as(lead, "promote", "winery", "1", "--reason", "mine"), *registry_of_winery)

    with cloud.listening("ChampionRolledBack", "ModelPromoted") as heard:
        code, back = turbine_as(lead, "rollback", "botany", "--reason", "it was worse")
        assert code == exit_codes.OK, back
        events = wait_for(lambda: heard() or None, "the event of the rollback")
    assert [event["detail-type"] for event in events] == ["ChampionRolledBack"]
    assert (back["champion"]["run_id"], back["champion"]["kind"]) == (before["run_id"], "rollback")
    assert cloud.approved("botany") == [before["model_package_arn"]]

    claims = [one for one in _inferences(cloud) if one["champion_version"] == back["champion"]["champion_version"]]
    assert [claim["run_id"] for claim in claims] == [before["run_id"]]

    code, told = turbine_as(lead, "models", "botany", "--history")
    assert code == exit_codes.OK
    last = told["history"][-3:]
    assert [one["run_id"] for one in last] == [before["run_id"], run_id, before["run_id"]]
    assert [one["reason"] for one in last[1:]] == ["the other one drifts", "it was worse"]
    assert [one["until"] for one in last] == [last[1]["promoted_at"], last[2]["promoted_at"], None]
    code, then = turbine_as(lead, "models", "botany", "--on", last[1]["promoted_at"])
    assert [one["run_id"] for one in then["history"]] == [run_id]
    assert turbine_as(lead, "models", "botany", "--on", "2020-01-01")[1]["history"] == []
    assert (
        turbine_as(lead, "models", "botany", "--on", last[1]["promoted_at"][:10])[1]["history"][-1]
        == told["history"][-1]
    )


def test_a_request_that_lacks_a_field_is_refused_by_its_name(demo: KeptDemo, hire: Any, botany: str) -> None:
    cloud, lead = demo.cloud, hire("lead", "botany")
    entry = {"Source": f"{cloud.stack}.team.botany", "DetailType": "PromotionRequested", "Detail": '{"reason": "x"}'}
    (answer,) = lead.client("events").put_events(Entries=[entry])["Entries"]

    def failed() -> dict[str, Any] | None:
        listed = cloud.client("stepfunctions").list_executions(stateMachineArn=cloud.outputs["PromotionMachineArn"])
        ended = [
            cloud.client("stepfunctions").describe_execution(executionArn=one["executionArn"])
            for one in listed["executions"]
            if one["status"] == "FAILED"
        ]
        return next((dict(one) for one in ended if answer["EventId"] in one["input"]), None)

    refused = wait_for(failed, "the refused request")
    assert refused["error"] == "PromotionRefusedError"
    assert "run_id: Field required" in refused["cause"]


def _inferences(cloud: LiveCloud) -> list[dict[str, Any]]:
    """The team's prediction claims, once the newest champion has its own."""
    table, version = (
        cloud.outputs["PredictionTableName"],
        (cloud.item("TEAM#botany", "CHAMPION") or {})["champion_version"],
    )

    def look() -> list[dict[str, Any]] | None:
        answer = cloud.client("dynamodb").query(
            TableName=table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": "TEAM#botany"}, ":sk": {"S": "INFERENCE#"}},
        )
        found = [
            {"run_id": item["run_id"]["S"], "champion_version": int(item["champion_version"]["N"])}
            for item in answer["Items"]
        ]
        return found if version in {one["champion_version"] for one in found} else None

    return wait_for(look, "the claim for the predictions of the champion that came back")
