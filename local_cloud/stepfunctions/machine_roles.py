"""What Step Functions asks of a machine's role when the machine is made, in strict mode: to wait, and to log.

A `.sync` Task is waited for through a rule of EventBridge that Step Functions manages with the machine's role, and logs
are delivered in its name too. A role that lacks this is refused at once, not when an execution fails.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html and
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import AWSError

from local_cloud.authorization import handover
from local_cloud.authorization.access import EVERYTHING, Access
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions.definitions import states_of

_RULES = {
    ":batch:submitjob.sync": "StepFunctionsGetEventsForBatchJobsRule",
    ":sagemaker:createtransformjob.sync": "StepFunctionsGetEventsForSageMakerTransformJobsRule",
    ":states:startexecution.sync": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
"""The managed rule by the end of a Task's resource, `:2` or not."""
_MANAGING = ("PutRule", "PutTargets", "DescribeRule")
_LOGGING = (
    *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"),
    *("PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
)
_SESSION = "states"


class RoleLacksError(AWSError):
    """A machine's role that cannot do what its machine needs."""

    TYPE = "AccessDeniedException"
    STATUS = 400


def require(role_arn: str, definition: str, logging: Any, account: str, region: str) -> None:
    """Raises: RoleLacksError in AWS's words."""
    for rule in sorted(_managed_rules(definition)):
        arn = f"arn:aws:events:{region}:{account}:rule/{rule}"
        if not _may(role_arn, [Access(f"events:{action}", arn) for action in _MANAGING]):
            raise RoleLacksError(f"'{role_arn}' is not authorized to create managed-rule.")
    does_log = (logging or {}).get("destinations") and logging.get("level", "OFF") != "OFF"
    if does_log and not _may(role_arn, [Access(f"logs:{action}", EVERYTHING) for action in _LOGGING]):
        raise RoleLacksError("The state machine IAM Role is not authorized to access the Log Destination")


def _may(role_arn: str, asked: list[Access]) -> bool:
    """Whether a role may do all of it; each is asked for, whatever the first answers: the ledger is to know them."""
    answers = [handover.may(role_arn, _SESSION, access) for access in asked]
    return all(answers)


def _managed_rules(definition: str) -> set[str]:
    resources = {str(state.get("Resource", "")).lower() for _, state, _ in states_of(json.loads(definition))}
    return {rule for resource in resources for end, rule in _RULES.items() if resource.removesuffix(":2").endswith(end)}


def _create(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def create_state_machine(self: Any, **given: Any) -> Any:
        self._validate_definition(definition=given["definition"])
        logging = given.get("loggingConfiguration")
        require(given["roleArn"], given["definition"], logging, self.account_id, self.region_name)
        return original(self, **given)

    return create_state_machine


def _update(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def update_state_machine(
        self: Any, arn: str, definition: str | None = None, role_arn: str | None = None, **given: Any
    ) -> Any:
        machine = self.describe_state_machine(arn)
        if definition is not None:
            self._validate_definition(definition=definition)
        logging = given.get("logging_configuration") or machine.loggingConfiguration
        role, text = role_arn or machine.roleArn, definition or machine.definition
        require(role, text, logging, self.account_id, self.region_name)
        return original(self, arn, definition, role_arn, **given)

    return update_state_machine


_BACKEND = "moto.stepfunctions.parser.models:StepFunctionsParserBackend"
REPLACEMENTS: list[Replacement] = [
    Replacement(target=f"{_BACKEND}.create_state_machine", build=_create, why="asks nothing of the machine's role"),
    Replacement(target=f"{_BACKEND}.update_state_machine", build=_update, why="asks nothing of the machine's role"),
]
