"""Step Functions. How machines run is compared in docs/asl-conformance.md; here is what the calls answer."""

from local_cloud.coverage.verdicts import Coverage, Faithful, Partial, Refused, each, motos

_CALLS = "tests/parity/jobs/test_step_functions.py"

COVERAGE: Coverage = {
    "DescribeStateMachineForExecution": Partial("revisionId is never there"),
    **each(Faithful(_CALLS), "DescribeExecution GetExecutionHistory StopExecution"),
    **each(
        Partial(
            "a Map Run is forgotten when the cloud ends after its execution; counts of items are those of children"
        ),
        "DescribeMapRun ListMapRuns",
    ),
    **each(
        Partial(
            "Express machines, and the parts of a definition that docs/asl-conformance.md lists, are refused; logging, "
            "tracing and encryption settings are kept and do nothing"
        ),
        "CreateStateMachine UpdateStateMachine",
    ),
    "StartExecution": Partial("an alias or a version is not told from its machine"),
    "ListExecutions": Partial("mapRunArn is refused"),
    "RedriveExecution": Partial("clientToken is not looked at"),
    **each(
        Partial("while a Task pauses before it is tried again, its last token is taken"),
        "SendTaskFailure SendTaskHeartbeat SendTaskSuccess",
    ),
    "TestState": Partial("INFO of Pass, Choice, Wait, Succeed, Fail and Task; mocks and contexts are refused"),
    "UpdateMapRun": Partial("tolerances only: maxConcurrency is refused"),
    "ValidateStateMachineDefinition": Partial("errors only, no warnings; messages are close to those of AWS"),
    **motos(
        "CreateStateMachineAlias DeleteStateMachine DeleteStateMachineAlias DescribeStateMachine "
        "DescribeStateMachineAlias ListStateMachineAliases ListStateMachines ListTagsForResource "
        "TagResource UntagResource UpdateStateMachineAlias"
    ),
    **each(Refused("no worker could poll it"), "CreateActivity DeleteActivity DescribeActivity ListActivities"),
    "StartSyncExecution": Refused("use a STANDARD state machine"),
}
