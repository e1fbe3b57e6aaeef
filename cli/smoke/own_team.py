"""The smoke test's own team: its file, its stack, its data and its manifest.

A smoke test never trains for anybody else's team, since its model could become that team's champion.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

from cli import exit_codes
from cli.cloud import Cloud
from cli.deployment import change_sets, team_stacks, template_parameters
from cli.deployment.change_sets import Result, Template
from cli.deployment.team_stacks import Team
from cli.errors import CommandError
from turbine.domain import team as team_domain

PREFIX = "smoke"
_NAME = re.compile(PREFIX + "[0-9a-f]{8}")
DATASET, TARGET, NO_COLUMN = "wine", "cultivar", "no_such_column"
NODE = {
    "TrainingVcpus": "1",
    "TrainingMemoryMib": "3072",
    "TrainingGpus": "0",
    "EvaluationVcpus": "1",
    "EvaluationMemoryMib": "3072",
    "MaxNodes": "2",
}
"""What a job of the team asks for, whatever the stack's own jobs do: it fits every host."""
_FILE = """\
# Made by `turbine smoke`, and removed by it.
team: {team}
recipe: {{name: tabular_classifier, hyperparameters: {{epochs: 20, hidden: [], learning_rate: 0.01}}}}
rule: {{name: min_delta, metric: accuracy, direction: maximize, min_delta: 0.01}}
budget: {{max_cost_usd_per_run: 10}}
work_cpu_hours: 1
"""


def new_name() -> str:
    """A name that no smoke test had: model package groups and champions outlive a team."""
    return f"{PREFIX}{uuid.uuid4().hex[:8]}"


def check_name(team: str) -> str:
    """The name. Raises: CommandError unless it is one that `new_name` gives: people may call a team `smokers`."""
    if _NAME.fullmatch(team):
        return team
    raise CommandError(
        f"{team!r} is not a name for a smoke test's team",
        place="--team",
        next_step=f"{PREFIX} and eight hexadecimal digits: in a team of people the test's model could become champion",
        exit_code=exit_codes.REFUSED,
    )


def team_file(name: str) -> str:
    """The team's file: one small model, no schedule, a budget that it fits."""
    return _FILE.format(team=name)


def make(cloud: Cloud, name: str, template_path: Path) -> Result:
    """Create or update the team's stack and publish its file, as `turbine teams apply` does."""
    text = team_file(name)
    team = Team(Path(f"{name}.yaml"), text, team_domain.parse(text.encode()))
    known = template_parameters.parameter_names(template_path)
    result = change_sets.apply(
        cloud.client("cloudformation"),
        team_stacks.stack_name(cloud.stack, name),
        Template(body=template_path.read_text()),
        team_stacks.stack_parameters(cloud, team.file, known, {}) | NODE,
        cloud.outputs.get("DeploymentRoleArn", ""),
    )
    team_stacks.publish(cloud, team)
    return result


def manifest(cloud: Cloud, team: str, target: str = TARGET) -> str:
    """The manifest that trains on the uploaded data and predicts its unlabelled tenth.

    With `NO_COLUMN` as target the job ends as a user's mistake makes it end.
    """
    base = f"s3://{cloud.output('DataBucketName')}/datasets/{team}/{DATASET}"
    return json.dumps(
        {
            "schema_version": 1,
            "team": team,
            "dataset": {
                "name": DATASET,
                "source": {"type": "s3", "uri": f"{base}/v1/"},
                "format": "parquet",
                "target": target,
            },
            "recipe": {
                "name": "tabular_classifier",
                "hyperparameters": {"epochs": 20, "hidden": [], "learning_rate": 0.01},
            },
            "compute": {"nodes": 1},
            "inference": {"uri": f"{base}/unlabelled/", "format": "jsonl", "id": "id"},
        }
    )
