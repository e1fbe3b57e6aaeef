"""CloudWatch."""

from local_cloud.coverage.verdicts import Coverage, Faithful, Partial, Refused, each, motos

_TEST = "tests/parity/test_cloudwatch.py"

COVERAGE: Coverage = {
    **each(Faithful(_TEST), "DescribeAlarmsForMetric SetAlarmState"),
    "PutMetricData": Partial("EntityMetricData and StrictEntityValidation are refused; data is there at once"),
    "GetMetricStatistics": Partial("trimmed means and the like are refused, percentiles are not; nothing expires"),
    "GetMetricData": Partial(
        "metric math, Metrics Insights, other accounts, trimmed means and the like are refused; nothing expires"
    ),
    "ListMetrics": Partial("linked accounts are refused; a metric is listed at once, not after minutes"),
    "PutMetricAlarm": Partial(
        "metric math, anomaly detection, EvaluateLowSampleCountPercentile, EvaluationCriteria and actions other than "
        "SNS and Lambda are refused; evaluated every second"
    ),
    "DescribeAlarms": Partial("there are no composite alarms"),
    "DescribeAlarmHistory": Partial("kept for ever; AWS keeps 30 days"),
    "DeleteAlarms": Partial("no test of its own"),
    **each(Partial("kept, never drawn"), "DeleteDashboards GetDashboard ListDashboards PutDashboard"),
    **motos("DisableAlarmActions EnableAlarmActions ListTagsForResource TagResource UntagResource"),
    **each(
        Refused("no rule would be evaluated"),
        "DeleteInsightRules DescribeInsightRules DisableInsightRules EnableInsightRules PutInsightRule",
    ),
}
