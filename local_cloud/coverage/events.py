"""EventBridge."""

from local_cloud.coverage.verdicts import Coverage, Faithful, Partial, Refused, each, motos

_TEST = "tests/parity/test_events.py"
_RETRIES = (
    "AWS does not say how long it pauses between retries: half a second, doubling up to a minute, is an assumption"
)

COVERAGE: Coverage = {
    "TestEventPattern": Faithful(_TEST),
    "PutEvents": Partial("global endpoints (EndpointId) and TraceHeader are not looked at"),
    "PutRule": Partial(
        "RoleArn is kept and not used; of AWS's own events only those of S3, Batch, SageMaker, Step Functions, "
        "CloudWatch alarms and schedules are sent"
    ),
    "PutTargets": Partial(
        "Step Functions, Lambda, SQS, SNS, buses, logs and Batch; other targets, HttpParameters and the like are "
        f"refused. {_RETRIES}"
    ),
    **each(
        Partial("a policy's Principal and accounts are evaluated, its conditions are not checked further"),
        "PutPermission RemovePermission",
    ),
    **motos(
        "CreateEventBus DeleteEventBus DeleteRule DescribeEventBus DescribeRule DisableRule EnableRule ListEventBuses "
        "ListRuleNamesByTarget ListRules ListTagsForResource ListTargetsByRule RemoveTargets TagResource UntagResource"
    ),
    **each(
        Refused("nothing would be archived or replayed"),
        "CancelReplay CreateArchive DeleteArchive DescribeArchive DescribeReplay ListArchives ListReplays StartReplay "
        "UpdateArchive",
    ),
    **each(
        Refused("nothing would be called"),
        "CreateApiDestination CreateConnection DeleteApiDestination DeleteConnection DescribeApiDestination "
        "DescribeConnection ListApiDestinations ListConnections UpdateApiDestination UpdateConnection",
    ),
    **each(
        Refused("there are no partners"),
        "CreatePartnerEventSource DeletePartnerEventSource DescribeEventSource DescribePartnerEventSource "
        "PutPartnerEvents",
    ),
}
