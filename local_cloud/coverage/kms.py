"""KMS."""

from local_cloud.coverage.verdicts import Coverage, Partial, each, motos

COVERAGE: Coverage = {
    **each(Partial("moto's; kept, and no call is refused by it"), "CreateGrant PutKeyPolicy RetireGrant RevokeGrant"),
    "EnableKeyRotation": Partial("kept; no key is rotated by time"),
    **motos(
        "CancelKeyDeletion CreateAlias CreateKey Decrypt DeleteAlias DescribeKey DisableKey DisableKeyRotation "
        "EnableKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateMac GenerateRandom GetKeyPolicy "
        "GetKeyRotationStatus GetPublicKey ListAliases ListGrants ListKeyPolicies ListKeyRotations ListKeys "
        "ListResourceTags ListRetirableGrants ReEncrypt ReplicateKey RotateKeyOnDemand ScheduleKeyDeletion Sign "
        "TagResource UntagResource UpdateAlias UpdateKeyDescription Verify VerifyMac"
    ),
}
