"""S3."""

from local_cloud.coverage.verdicts import Coverage, Partial, each, motos

COVERAGE: Coverage = {
    **each(
        Partial(
            "If-None-Match and If-Match hold among writers at once, and every version is kept; ACLs, storage classes, "
            "checksums and Object Lock are moto's, not checked further"
        ),
        "CompleteMultipartUpload CopyObject PutObject",
    ),
    **each(
        Partial("kept; nothing expires"),
        "PutBucketLifecycle PutBucketLifecycleConfiguration",
    ),
    **each(
        Partial("kept; nothing is replicated"),
        "PutBucketReplication",
    ),
    **each(
        Partial("kept; no report is made"),
        "PutBucketInventoryConfiguration",
    ),
    **each(
        Partial("kept; no request is refused by it"),
        "PutBucketAcl PutBucketCors PutBucketOwnershipControls PutObjectAcl PutPublicAccessBlock",
    ),
    **each(
        Partial("kept; no page is served"),
        "PutBucketWebsite",
    ),
    **each(
        Partial("kept; nothing is faster"),
        "PutBucketAccelerateConfiguration",
    ),
    **each(
        Partial(
            "evaluated by moto; of conditions only aws:SecureTransport, and a statement with another one fails each "
            "request by name"
        ),
        "PutBucketPolicy",
    ),
    **each(
        Partial("AES256 where nothing is set, and told in answers; nothing is encrypted on disk"),
        "DeleteBucketEncryption PutBucketEncryption",
    ),
    **each(
        Partial("has no object key of its own but is sent as ListBuckets, and answered as that"),
        "ListDirectoryBuckets",
    ),
    **each(
        Partial("queues, topics, functions and EventBridge are told; AWS's own test message is not sent"),
        "PutBucketNotification PutBucketNotificationConfiguration",
    ),
    **each(
        Partial("deletions and markers are told as events; MFA delete is not asked for"),
        "DeleteObject DeleteObjects",
    ),
    **motos(
        "AbortMultipartUpload CreateBucket CreateMultipartUpload DeleteBucket DeleteBucketCors DeleteBucketLifecycle "
        "DeleteBucketOwnershipControls DeleteBucketPolicy DeleteBucketReplication DeleteBucketTagging "
        "DeleteBucketWebsite DeleteObjectTagging DeletePublicAccessBlock GetBucketAccelerateConfiguration "
        "GetBucketAcl GetBucketCors GetBucketEncryption GetBucketInventoryConfiguration GetBucketLifecycle "
        "GetBucketLifecycleConfiguration GetBucketLocation GetBucketLogging GetBucketNotification "
        "GetBucketNotificationConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus "
        "GetBucketReplication GetBucketTagging GetBucketVersioning GetBucketWebsite GetObject GetObjectAcl "
        "GetObjectAttributes GetObjectLegalHold GetObjectLockConfiguration GetObjectTagging GetPublicAccessBlock "
        "HeadBucket HeadObject ListBucketInventoryConfigurations ListBuckets ListMultipartUploads ListObjectVersions "
        "ListObjects ListObjectsV2 ListParts PutBucketLogging PutBucketTagging PutBucketVersioning PutObjectLegalHold "
        "PutObjectLockConfiguration PutObjectRetention PutObjectTagging RestoreObject SelectObjectContent UploadPart "
        "UploadPartCopy"
    ),
}
