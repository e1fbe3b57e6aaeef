"""What `local up` and `demo` deploy to an embedded cloud: the main stack, then a stack for each team."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli.cloud import Cloud
from cli.deployment import main_stack, sam_config, team_stacks
from cli.deployment.change_sets import Result


def deploy(cloud: Cloud, project_dir: Path, say: Callable[[str], None]) -> dict[str, Result]:
    """Deploy everything; the result of each stack by its name."""
    say(f"deploying the stack {cloud.stack}")
    results = {cloud.stack: main_stack.deploy(cloud, project_dir)}
    say(f"stack {cloud.stack}: {results[cloud.stack]}")
    overrides = sam_config.parameter_overrides(project_dir / main_stack.SAM_CONFIG, main_stack.LAPTOP_ENVIRONMENT)
    teams = team_stacks.read_files(project_dir / "config" / "teams", cloud.outputs)
    applied = team_stacks.apply(
        cloud,
        teams,
        project_dir / main_stack.TEAM_TEMPLATE,
        overrides,
        lambda team, result: say(f"team {team}: {result}"),
    )
    return results | {team_stacks.stack_name(cloud.stack, team): result for team, result in applied.items()}
