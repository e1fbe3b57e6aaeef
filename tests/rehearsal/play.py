"""The acts, in their order; each looks with ordinary clients whether what was done is so."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from tests.rehearsal.shell import Shell
from tests.scenarios.live_cloud import LiveCloud, wait_for

TEAM, ADDED_TEAMS = "botany", ("endocrine", "oncology", "vision", "winery")
STACK = "turbine"
ENVIRONMENTS = ("TrainingEnvironment", "SpotEnvironment")
NEW_COMMENT = "One run of one team, in the words of the second deployment."
NEW_MESSAGE = "models compared after the second deployment"
KEPT_RESOURCES = {
    *("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::ECR::Repository"),
}
"""What `sam delete` leaves: whatever holds data."""


class Rehearsal:
    """One walk through build, deployment, update and deletion."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._resources: dict[str, str] = {}
        self._held: str = ""

    @cached_property
    def cloud(self) -> LiveCloud:
        """Clients of the cloud that the shell is connected to."""
        return LiveCloud(self.shell.variables)

    def start_cloud(self) -> None:
        self.shell.type('turbine local up --empty --state-dir "$STATE"')
        self.shell.connect()

    def stop_cloud(self) -> None:
        self.shell.type('turbine local down --state-dir "$STATE"')

    def build(self) -> None:
        """Every function and layer for Lambda's machine, and none too large for it."""
        self.shell.type("sam build")
        self.shell.type("python -m scans.package_sizes .aws-sam/build")

    def deploy(self) -> None:
        """A stack whose machines run: a dropped manifest ends in a decision."""
        self.shell.type("sam deploy --config-env laptop")
        assert self._status() == "CREATE_COMPLETE"
        self._resources = self._physical_ids()
        self.shell.type("turbine teams apply --teams-dir examples/fifth_team/teams")
        self.shell.type("python examples/fifth_team/upload.py")
        self.shell.type("turbine drop examples/fifth_team/manifest.json --wait")
        assert self._champion(TEAM) is not None

    def hold_a_run(self) -> None:
        """A run whose job waits for a host, so that the next deployment meets it under way."""
        self._set_hosts("DISABLED")
        dropped = json.loads(self.shell.type("turbine drop examples/fifth_team/manifest.json --json"))
        (run,) = dropped["runs"]
        self._held = self.cloud.execution_arn("RunMachineArn", run["run_id"])
        wait_for(self._held_job_waits, "a job that waits for a host")

    def change(self) -> None:
        """Change a function's code and a machine's definition, in the copy."""
        self._replace("functions/compare_models/app.py", '"models compared"', f'"{NEW_MESSAGE}"')
        machine = self.shell.project / "state_machines/run.asl.yaml"
        text = machine.read_text()
        comment = text.split("QueryLanguage:")[0]
        machine.write_text(text.replace(comment, f"Comment: {NEW_COMMENT}\n", 1))

    def update(self) -> None:
        """In place: same resources, same data; what runs goes on as it began, what starts now is new."""
        champion = self._champion(TEAM)
        self.shell.type("sam build")
        self.shell.type("sam deploy --config-env laptop")
        self.shell.type("turbine teams apply")
        assert self._status() == "UPDATE_COMPLETE"
        assert self._physical_ids() == self._resources
        assert self._champion(TEAM) == champion is not None
        assert self._comment_of(self._held) != NEW_COMMENT
        self._set_hosts("ENABLED")
        assert self.cloud.ended(self._held)["status"] == "SUCCEEDED"
        assert self._comment_of(self._held) != NEW_COMMENT

    def run_again(self) -> None:
        """A run that starts after the update has the new definition and the new code."""
        dropped = json.loads(self.shell.type("turbine drop examples/fifth_team/manifest.json --wait --json"))
        (run,) = dropped["runs"]
        arn = self.cloud.execution_arn("RunMachineArn", run["run_id"])
        assert self._comment_of(arn) == NEW_COMMENT
        logs = self.cloud.client("logs").filter_log_events(
            logGroupName=self.cloud.outputs["FunctionLogGroupName"], filterPattern=f'"{NEW_MESSAGE}"'
        )
        assert run["run_id"] in logs["events"][0]["message"]

    def delete(self) -> None:
        """The stack is gone, with all that holds no data."""
        for team in (TEAM, *ADDED_TEAMS):
            self.shell.type(f"turbine teams remove {team}")
        self.shell.type("sam delete --config-env laptop --no-prompts")

    def _status(self) -> str:
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return str(stack["StackStatus"])

    def _physical_ids(self) -> dict[str, str]:
        """Every resource that an update must not replace; layers are versions."""
        pages = self.cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] != "AWS::Lambda::LayerVersion"
        }

    def _champion(self, team: str) -> dict[str, Any] | None:
        return self.cloud.item(f"TEAM#{team}", "CHAMPION")

    def _set_hosts(self, state: str) -> None:
        for name in ENVIRONMENTS:
            self.cloud.client("batch").update_compute_environment(
                computeEnvironment=self._resources[name], state=state
            )

    def _held_job_waits(self) -> bool | None:
        queue = self.cloud.outputs["SpotJobQueueArn"]
        return bool(self.cloud.client("batch").list_jobs(jobQueue=queue, jobStatus="RUNNABLE")["jobSummaryList"]) or None

    def _comment_of(self, execution: str) -> str:
        machine = self.cloud.client("stepfunctions").describe_state_machine_for_execution(executionArn=execution)
        return str(json.loads(machine["definition"])["Comment"])

    def _replace(self, name: str, old: str, new: str) -> None:
        path = self.shell.project / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} has {text.count(old)} times {old}"
        path.write_text(text.replace(old, new))
