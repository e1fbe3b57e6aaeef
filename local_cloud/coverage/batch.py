"""AWS Batch. The assumptions of `local_cloud/batch/ordering.py` are named with the operations they show in."""

from local_cloud.coverage.verdicts import Coverage, Faithful, Partial, each, motos

_API = "tests/parity/jobs/test_batch_api.py"
_QUEUES = "tests/parity/jobs/test_batch_queues.py"
_JOBS = "tests/parity/jobs/test_batch.py"

COVERAGE: Coverage = {
    **each(Faithful(_JOBS), "CancelJob ListJobs TerminateJob"),
    **each(
        Faithful(_QUEUES),
        "CreateConsumableResource DeleteConsumableResource DescribeConsumableResource ListJobsByConsumableResource",
    ),
    **each(
        Faithful(_API),
        "DeleteJobQueue DeleteSchedulingPolicy DescribeJobDefinitions GetJobQueueSnapshot ListConsumableResources "
        "ListTagsForResource TagResource UntagResource",
    ),
    "SubmitJob": Partial(
        "containers are processes of this machine; secrets, mounted volumes, EKS and ECS overrides are refused. That a "
        "job at the head of its queue holds back the rest also while it lacks consumable resources, or fits nowhere, "
        "is an assumption"
    ),
    "RegisterJobDefinition": Partial("EKS and ECS properties, and instance types of single nodes, are refused"),
    "DeregisterJobDefinition": Partial("the revision stays INACTIVE for ever; AWS drops it after 180 days"),
    "DescribeJobs": Partial("fields of ECS tasks, EKS and service jobs are never there; ended jobs stay for ever"),
    "CreateComputeEnvironment": Partial(
        "VALID at once, and no machine is launched: hosts appear with jobs, and capacity is never insufficient; EKS, "
        "managed instances, unmanagedvCpus, scaling policies and capacity tags are refused"
    ),
    "UpdateComputeEnvironment": Partial(
        "done at once and to hosts that run too: there is no infrastructure update; refused as for the creation"
    ),
    "DeleteComputeEnvironment": Partial("gone at once, without DELETING"),
    "DescribeComputeEnvironments": Partial("there is no ECS cluster behind ecsClusterArn; never INVALID"),
    "CreateJobQueue": Partial("VALID at once; service environments and jobQueueType SAGEMAKER_TRAINING are refused"),
    "UpdateJobQueue": Partial("done at once, without UPDATING; refused as for the creation"),
    "DescribeJobQueues": Partial("never CREATING, UPDATING or INVALID"),
    "CreateSchedulingPolicy": Partial(
        "quotaSharePolicy is refused; that past use counts less along a straight line is an assumption"
    ),
    "UpdateSchedulingPolicy": Partial("quotaSharePolicy is refused; no test of its own"),
    "UpdateConsumableResource": Partial("clientToken is not looked at"),
    **motos("DescribeSchedulingPolicies ListSchedulingPolicies"),
}
