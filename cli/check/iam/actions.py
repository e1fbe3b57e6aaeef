"""API operations as IAM actions, and what kind of resource each action knows.

An operation's action has its name, but for those named here. What an action's resource is stands in the Service
Authorization Reference; `tests/unit/cli/check/iam/test_actions.py` compares with the copy of it that cfn-lint brings.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

CLIENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "s3": {
        "get_object": ("s3:GetObject",),
        "head_object": ("s3:GetObject",),
        "download_file": ("s3:GetObject",),
        # s3torchconnector: HeadObject and ranged GetObject.
        "from_objects": ("s3:GetObject",),
        "list_objects_v2": ("s3:ListBucket",),
        "list_object_versions": ("s3:ListBucketVersions",),
        "put_object": ("s3:PutObject",),
        # A managed transfer of a large body goes in parts, and breaks its upload off when a part fails.
        "upload_fileobj": ("s3:PutObject", "s3:AbortMultipartUpload"),
        "copy": ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
        "upload_part_copy": ("s3:GetObject", "s3:PutObject"),
        "list_multipart_uploads": ("s3:ListBucketMultipartUploads",),
        "list_parts": ("s3:ListMultipartUploadParts",),
        "create_multipart_upload": ("s3:PutObject",),
        "upload_part": ("s3:PutObject",),
        "complete_multipart_upload": ("s3:PutObject",),
        "abort_multipart_upload": ("s3:AbortMultipartUpload",),
        "delete_object": ("s3:DeleteObject",),
    },
    "dynamodb": {
        "get_item": ("dynamodb:GetItem",),
        "put_item": ("dynamodb:PutItem",),
        "update_item": ("dynamodb:UpdateItem",),
        "delete_item": ("dynamodb:DeleteItem",),
        "query": ("dynamodb:Query",),
        # The actions of what it holds: see `TRANSACTED`.
        "transact_write_items": (),
    },
    "events": {"put_events": ("events:PutEvents",)},
    "sns": {"publish": ("sns:Publish",)},
    "logs": {"get_log_events": ("logs:GetLogEvents",)},
    "cloudwatch": {
        "put_metric_data": ("cloudwatch:PutMetricData",),
        "get_metric_data": ("cloudwatch:GetMetricData",),
    },
    "batch": {
        "describe_jobs": ("batch:DescribeJobs",),
        "list_jobs": ("batch:ListJobs",),
        "terminate_job": ("batch:TerminateJob",),
    },
    "stepfunctions": {
        "describe_execution": ("states:DescribeExecution",),
        "start_execution": ("states:StartExecution",),
    },
    "sagemaker": {
        # Creating a model hands its role over.
        "create_model": ("sagemaker:CreateModel", "iam:PassRole"),
        "describe_model": ("sagemaker:DescribeModel",),
        "create_model_package": ("sagemaker:CreateModelPackage",),
        "describe_model_package": ("sagemaker:DescribeModelPackage",),
        "list_model_package_groups": ("sagemaker:ListModelPackageGroups",),
        "list_model_packages": ("sagemaker:ListModelPackages",),
        "update_model_package": ("sagemaker:UpdateModelPackage",),
    },
}
"""boto3's methods by service. One that a client has and that is not here is a finding: nobody knows what it needs."""

TRANSACTED = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html"""

VERSIONED = {"s3:GetObject": "s3:GetObjectVersion"}
"""The action for one version of an object, which the object's own action does not allow."""

LIBRARIES: dict[str, tuple[str, ...]] = {
    # `dvc add --to-remote` looks into the remote, reads the source, writes the content and its temporary copy.
    "DvcRemote": ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
}
"""What classes do through libraries whose code is not read. Seen in strict mode's ledger."""

NO_RESOURCE = frozenset(
    {
        *("batch:DescribeJobs", "batch:ListJobs"),
        *("batch:DescribeComputeEnvironments", "batch:DescribeJobDefinitions", "batch:DescribeJobQueues"),
        *("cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "cloudwatch:PutMetricData"),
        "ecr:GetAuthorizationToken",
        *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
        *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies"),
        "logs:DescribeLogGroups",
        "sagemaker:ListModelPackageGroups",
        *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    }
)
"""Actions that know no resource: the API demands `*`."""

SYNC_RULES = {
    "batch:submitJob": "StepFunctionsGetEventsForBatchJobsRule",
    "sagemaker:createTransformJob": "StepFunctionsGetEventsForSageMakerTransformJobsRule",
    "states:startExecution": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
SYNC_COMPANIONS: dict[str, tuple[str, ...]] = {
    "batch:submitJob": ("batch:DescribeJobs", "batch:TerminateJob"),
    "sagemaker:createTransformJob": (
        "sagemaker:DescribeTransformJob",
        "sagemaker:StopTransformJob",
        "sagemaker:AddTags",
    ),
    "states:startExecution": ("states:DescribeExecution", "states:StopExecution"),
}
"""What `.sync` does in the machine's name and no Task says: look, stop, tag what it started, and manage a rule.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html and, for AddTags,
https://github.com/aws/aws-cdk/issues/26012
"""
MANAGE_RULE = ("events:PutTargets", "events:PutRule", "events:DescribeRule")

LOG_DELIVERY = tuple(sorted(action for action in NO_RESOURCE if action.startswith("logs:")))
"""Source: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy"""
TRACING = tuple(sorted(action for action in NO_RESOURCE if action.startswith("xray:")))
"""Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html"""

MANAGED_POLICIES = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": (
        "SAM attaches it to the role of every function; it writes logs, and only logs"
    ),
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess": (
        "SAM attaches it to the role of every function that is traced; no X-Ray action knows a resource"
    ),
    "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role": (
        "what the ECS agent of a Batch host calls is the agent's to know, and changes with its releases"
    ),
}
"""AWS's own policies that roles may have besides, each with the reason."""
