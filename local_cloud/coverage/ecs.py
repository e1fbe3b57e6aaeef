"""ECS: only what finds the host of a Batch job."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each

COVERAGE: Coverage = {
    "DescribeContainerInstances": Partial("hosts of Batch jobs only, with few of their fields"),
    **each(
        Refused("no container would run: use Batch"),
        "CreateCapacityProvider CreateCluster CreateService CreateTaskSet RegisterContainerInstance "
        "RegisterTaskDefinition RunTask StartTask UpdateService",
    ),
}
