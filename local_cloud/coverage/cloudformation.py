"""CloudFormation, on this cloud's own engine; the resource types are in `local_cloud/cloudformation/resources`."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each

_CHANGING = (
    "a fixed set of resource types, whose unknown properties are refused; NotificationARNs, RoleARN, "
    "RollbackConfiguration, TimeoutInMinutes and ClientRequestToken are not looked at"
)

COVERAGE: Coverage = {
    **each(Partial(_CHANGING), "CreateStack UpdateStack"),
    "CreateChangeSet": Partial(f"{_CHANGING}; imports, OnStackFailure and nested change sets are refused"),
    "ExecuteChangeSet": Partial("ClientRequestToken is not looked at"),
    "DescribeChangeSet": Partial("Details of a change name no attribute; all changes come in one answer"),
    "DeleteStack": Partial("RetainResources is taken in every state, on AWS after DELETE_FAILED only"),
    "DescribeStackEvents": Partial("all in one answer"),
    **each(
        Partial("all in one answer; drift and stack policies are never there"),
        "DescribeStackResource DescribeStackResources DescribeStacks ListStackResources ListStacks",
    ),
    **each(Partial("all in one answer; no test of its own"), "ListChangeSets ListExports"),
    "GetTemplate": Partial("a nested template in this cloud's S3 is told with the address that it would have on AWS"),
    "DeleteChangeSet": Partial("no test of its own"),
    **each(
        Partial(
            "what is wrong is found in intrinsics, parameters and transforms, not in properties; no test of its own"
        ),
        "GetTemplateSummary ValidateTemplate",
    ),
    **each(Refused("no policy would be looked at"), "GetStackPolicy SetStackPolicy"),
    **each(
        Refused("deploy a stack to each account and Region instead"),
        "CreateStackInstances CreateStackSet DeleteStackInstances DeleteStackSet DescribeStackInstance "
        "DescribeStackSet DescribeStackSetOperation ListStackInstances ListStackSetOperationResults "
        "ListStackSetOperations ListStackSets StopStackSetOperation UpdateStackInstances UpdateStackSet",
    ),
}
