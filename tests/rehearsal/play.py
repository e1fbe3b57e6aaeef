"""The acts, in their order; each looks with ordinary clients whether what was done is so."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path

from tests.rehearsal import looks
from tests.rehearsal.shell import Shell
from tests.scenarios.live_cloud import LiveCloud, wait_for

STACK = "turbine"
TEAM, ADDED_TEAMS = "botany", ("endocrine", "oncology", "vision", "winery")
ENVIRONMENTS = ("TrainingEnvironment", "SpotEnvironment")
NEW_COMMENT = "One run of one team, in the words of the second deployment."
NEW_MESSAGE = "models compared after the second deployment"


class Rehearsal:
    """One walk through build, deployment, update and deletion."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._ids: dict[str, str] = {}
        self._held = ""

    @cached_property
    def cloud(self) -> LiveCloud:
        """Clients of the cloud that the shell is connected to."""
        return LiveCloud(self.shell.variables)

    def start_cloud(self) -> None:
        self.shell.type('turbine local up --empty --strict --state-dir "$STATE"')
        self.shell.connect()

    def stop_cloud(self) -> None:
        self.shell.type('turbine local down --state-dir "$STATE"')

    def build(self) -> None:
        """Every function and layer for Lambda's machine, and none too large for it."""
        self.shell.type("sam build")
        self.shell.type("python -m scans.package_sizes .aws-sam/build")

    def leave_out_the_build(self) -> None:
        """Have layers that hold the project's own code where Lambda looks for it, and no wheels."""
        core = self.shell.project / "layers/core"
        (core / "python").mkdir()
        (core / "turbine").rename(core / "python/turbine")

    def build_again(self) -> None:
        """What has not changed comes from the cache."""
        self.shell.type("sam build")

    def deploy(self) -> None:
        """A new stack with a first team and its data."""
        self.shell.type("sam deploy --config-env laptop")
        assert self._status() == "CREATE_COMPLETE"
        self._ids = looks.physical_ids(self.cloud)
        self.shell.type("turbine teams apply --teams-dir examples/fifth_team/teams")
        self.shell.type("python examples/fifth_team/upload.py")

    def train(self) -> None:
        """Its machines run: a dropped manifest ends in a champion."""
        self.shell.type("turbine drop examples/fifth_team/manifest.json --wait")
        assert self.cloud.item(f"TEAM#{TEAM}", "CHAMPION") is not None

    def hold_a_run(self) -> None:
        """A run whose job waits for a host, so that the next deployment meets it under way."""
        self._set_hosts("DISABLED")
        dropped = json.loads(self.shell.type("turbine drop examples/fifth_team/manifest.json --force --json"))
        (run,) = dropped["runs"]
        self._held = run["run_id"]
        wait_for(self._job_that_waits, "a job that waits for a host")
        self.shell.remark("Its job waits for a host: the compute environments are disabled meanwhile.")

    def change(self) -> None:
        """Other code in a function, another definition of a machine."""
        functions, machines = self.shell.project / "functions", self.shell.project / "state_machines"
        _replace(functions / "compare_models/app.py", r'"models compared"', f'"{NEW_MESSAGE}"')
        _replace(machines / "run.asl.yaml", r"\AComment:.*?\n(?=QueryLanguage:)", f"Comment: {NEW_COMMENT}\n")
        self.shell.remark("The message that `compare_models` logs, and the comment of the machine `run`, are changed.")

    def update(self) -> None:
        """In place, with four more teams: the same resources, the same data."""
        before = looks.data(self.cloud)
        self.shell.type("sam deploy --config-env laptop")
        self.shell.type("turbine teams apply")
        assert self._status() == "UPDATE_COMPLETE"
        assert looks.physical_ids(self.cloud) == self._ids
        assert before.items() <= looks.data(self.cloud).items()
        self.shell.remark(
            f"All {len(self._ids)} resources but the layers' versions are those of before; "
            "tables and buckets hold what they held."
        )

    def finish_the_held_run(self) -> None:
        """It goes on as it began; what starts from now on is new."""
        held = self.cloud.execution_arn("RunMachineArn", self._held)
        states = self.cloud.client("stepfunctions")
        assert states.describe_execution(executionArn=held)["status"] == "RUNNING"
        self._set_hosts("ENABLED")
        assert self.cloud.ended(held, limit_s=300)["status"] == "SUCCEEDED"
        ran = states.describe_state_machine_for_execution(executionArn=held)["definition"]
        runs = states.describe_state_machine(stateMachineArn=self.cloud.outputs["RunMachineArn"])["definition"]
        assert NEW_COMMENT not in ran and NEW_COMMENT in runs
        group = self.cloud.outputs["FunctionLogGroupName"]
        said = self.cloud.client("logs").filter_log_events(logGroupName=group, filterPattern=f'"{NEW_MESSAGE}"')
        assert any(self._held in event["message"] for event in said["events"])
        self.shell.remark(
            "With hosts again, the run that waited has SUCCEEDED, on the definition that it started with and with the "
            "new code. The machine has the new definition for those that start now."
        )

    def delete(self) -> None:
        """The stack is gone, with all that holds no data."""
        kept, data = looks.places(self.cloud), looks.data(self.cloud)
        for team in (TEAM, *ADDED_TEAMS):
            self.shell.type(f"turbine teams remove {team}")
            data.pop((kept["DataBucketName"], f"config/teams/{team}.yaml"), None)
        self.shell.type("sam delete --config-env laptop --no-prompts")
        stacks = self.cloud.client("cloudformation").describe_stacks()["Stacks"]
        assert [stack["StackName"] for stack in stacks] == ["aws-sam-cli-managed-default"]
        assert looks.left_over(self.cloud) == []
        assert data.items() <= looks.data(self.cloud, kept).items()
        self.shell.remark(
            f"What holds data stays, with all {len(data)} objects and items: the buckets, the tables, the image "
            "repositories, the teams' model package groups; and the bucket in which `sam` keeps archives."
        )

    def _set_hosts(self, state: str) -> None:
        for name in ENVIRONMENTS:
            self.cloud.client("batch").update_compute_environment(computeEnvironment=self._ids[name], state=state)

    def _job_that_waits(self) -> str | None:
        queue = self.cloud.outputs["SpotJobQueueArn"]
        waiting = self.cloud.client("batch").list_jobs(jobQueue=queue, jobStatus="RUNNABLE")["jobSummaryList"]
        return waiting[0]["jobId"] if waiting else None

    def _status(self) -> str:
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return str(stack["StackStatus"])


def _replace(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, lambda _: new, path.read_text(), flags=re.DOTALL)
    assert count == 1, f"{path.name} has {count} times {pattern}"
    path.write_text(text)
