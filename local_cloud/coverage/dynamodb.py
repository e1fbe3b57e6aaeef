"""DynamoDB."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    **each(
        Partial(
            "conditions hold among writers at once; expressions, validation and the capacity told are moto's, not "
            "checked further; nothing is throttled"
        ),
        "DeleteItem PutItem TransactWriteItems UpdateItem",
    ),
    **each(
        Partial("every read is consistent; expressions and pages are moto's, not checked further"),
        "BatchGetItem GetItem Query Scan TransactGetItems",
    ),
    **each(
        Partial("ACTIVE at once; capacity is kept and not enforced; streams can be named and not read"),
        "CreateTable UpdateTable",
    ),
    "UpdateTimeToLive": Partial("kept; no item expires"),
    **motos(
        "BatchExecuteStatement BatchWriteItem CreateBackup DeleteBackup DeleteResourcePolicy DeleteTable "
        "DescribeBackup DescribeContinuousBackups DescribeEndpoints DescribeLimits "
        "DescribeTable DescribeTimeToLive ExecuteStatement ExecuteTransaction "
        "GetResourcePolicy ListBackups ListTables ListTagsOfResource PutResourcePolicy "
        "RestoreTableFromBackup RestoreTableToPointInTime TagResource UntagResource UpdateContinuousBackups"
    ),
    **each(
        Refused("moto does it in a thread that it keeps in its state, which could not be written any more"),
        "DescribeExport DescribeImport ExportTableToPointInTime ImportTable ListExports",
    ),
}
