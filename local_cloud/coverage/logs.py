"""CloudWatch Logs."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    "PutLogEvents": Partial(
        "metrics in embedded metric format are taken from the lines; nothing else beyond moto was checked"
    ),
    "PutRetentionPolicy": Partial("kept; no line expires"),
    "PutMetricFilter": Partial("kept; no metric is made of a line"),
    **motos(
        "CancelExportTask CreateExportTask CreateLogGroup CreateLogStream DeleteDestination DeleteLogGroup "
        "DeleteLogStream DeleteMetricFilter DeleteResourcePolicy DeleteRetentionPolicy DeleteSubscriptionFilter "
        "DescribeDestinations DescribeExportTasks DescribeLogGroups DescribeLogStreams DescribeMetricFilters "
        "DescribeQueries DescribeResourcePolicies DescribeSubscriptionFilters FilterLogEvents GetLogEvents "
        "GetQueryResults ListTagsForResource ListTagsLogGroup PutDestination PutDestinationPolicy PutResourcePolicy "
        "PutSubscriptionFilter StartQuery TagLogGroup TagResource UntagLogGroup UntagResource"
    ),
    **each(
        Refused("nothing would be delivered"),
        "CreateDelivery DeleteDelivery DeleteDeliveryDestination DeleteDeliveryDestinationPolicy DeleteDeliverySource "
        "DescribeDeliveries DescribeDeliveryDestinations DescribeDeliverySources GetDelivery GetDeliveryDestination "
        "GetDeliveryDestinationPolicy GetDeliverySource PutDeliveryDestination PutDeliveryDestinationPolicy "
        "PutDeliverySource",
    ),
    **each(
        Refused("no line would follow"),
        "StartLiveTail",
    ),
}
