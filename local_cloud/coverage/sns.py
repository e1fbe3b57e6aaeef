"""SNS."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    "Publish": Partial("moto's: to queues, functions and HTTP, once and at once; no mail and no SMS leaves"),
    "PublishBatch": Partial("as Publish"),
    **each(Partial("kept; no call is refused by it"), "AddPermission RemovePermission"),
    **motos(
        "ConfirmSubscription CreateTopic DeleteTopic GetSubscriptionAttributes GetTopicAttributes ListSubscriptions "
        "ListSubscriptionsByTopic ListTagsForResource ListTopics SetSubscriptionAttributes SetTopicAttributes "
        "Subscribe TagResource Unsubscribe UntagResource"
    ),
    **each(
        Refused("no message would be sent"),
        "CheckIfPhoneNumberIsOptedOut CreatePlatformApplication CreatePlatformEndpoint DeleteEndpoint "
        "DeletePlatformApplication GetEndpointAttributes GetPlatformApplicationAttributes GetSMSAttributes "
        "ListEndpointsByPlatformApplication ListPhoneNumbersOptedOut ListPlatformApplications OptInPhoneNumber "
        "SetEndpointAttributes SetPlatformApplicationAttributes SetSMSAttributes",
    ),
}
