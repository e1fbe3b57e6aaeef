"""SQS."""

from local_cloud.coverage.verdicts import Coverage, Partial, each, motos

COVERAGE: Coverage = {
    **each(Partial("kept; no call is refused by it"), "AddPermission RemovePermission"),
    **motos(
        "ChangeMessageVisibility ChangeMessageVisibilityBatch CreateQueue DeleteMessage DeleteMessageBatch "
        "DeleteQueue GetQueueAttributes GetQueueUrl ListDeadLetterSourceQueues ListQueueTags ListQueues PurgeQueue "
        "ReceiveMessage SendMessage SendMessageBatch SetQueueAttributes TagQueue UntagQueue"
    ),
}
