"""EventBridge Scheduler."""

from local_cloud.coverage.verdicts import Coverage, Partial, each, motos

COVERAGE: Coverage = {
    **each(
        Partial(
            "targets as for EventBridge's rules, and universal ones; KmsKeyArn is kept and not used; only one-time "
            "schedules catch up on what was due while the cloud was down; the pauses between retries are an assumption"
        ),
        "CreateSchedule UpdateSchedule",
    ),
    "CreateScheduleGroup": Partial("ClientToken is not looked at"),
    "DeleteScheduleGroup": Partial("gone at once with its schedules; AWS shows DELETING meanwhile"),
    **motos(
        "DeleteSchedule GetSchedule GetScheduleGroup ListScheduleGroups ListSchedules ListTagsForResource TagResource "
        "UntagResource"
    ),
}
