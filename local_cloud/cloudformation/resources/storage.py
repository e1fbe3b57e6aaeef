"""S3 buckets and DynamoDB tables: updated in place, never replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_cloud.cloudformation.errors import ResourceError, UnsupportedPropertyError
from local_cloud.cloudformation.resources.base import Created, Desired, Resource, refuse_changes
from local_cloud.cloudformation.shapes import to_request


class Bucket(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-s3-bucket.html"""

    type_name = "AWS::S3::Bucket"
    replaces_on_update = False
    _KNOWN = (
        "BucketName",
        "VersioningConfiguration",
        "NotificationConfiguration",
        "BucketEncryption",
        "PublicAccessBlockConfiguration",
        "LifecycleConfiguration",
        "OwnershipControls",
        "LoggingConfiguration",
        "CorsConfiguration",
        "ObjectLockEnabled",
        "Tags",
    )

    def create(self, desired: Desired) -> Created:
        desired.only(*self._KNOWN)
        name = str(desired.properties.get("BucketName") or desired.name(63, lower=True))
        s3 = desired.client("s3")
        where = {} if desired.stack.region == "us-east-1" else {"LocationConstraint": desired.stack.region}
        s3.create_bucket(
            Bucket=name,
            ObjectLockEnabledForBucket=bool(desired.properties.get("ObjectLockEnabled")),
            **({"CreateBucketConfiguration": where} if where else {}),
        )
        self._configure(desired, name, {})
        return Created(name, self._attributes(name, desired.stack.region))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        desired.only(*self._KNOWN)
        refuse_changes(desired, before, "BucketName", "ObjectLockEnabled")
        self._configure(desired, old.physical_id, before)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("s3").delete_bucket(Bucket=old.physical_id)

    def _configure(self, desired: Desired, name: str, before: Mapping[str, Any]) -> None:
        s3, given = desired.client("s3"), desired.properties
        changed = {key for key in {*given, *before} if given.get(key) != before.get(key)}
        if "VersioningConfiguration" in changed:
            versioning = given.get("VersioningConfiguration") or {"Status": "Suspended"}
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
        if "NotificationConfiguration" in changed:
            configuration = _notifications(given.get("NotificationConfiguration") or {}, desired.type_name)
            s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
        if "BucketEncryption" in changed:
            self._encrypt(s3, name, given.get("BucketEncryption"))
        if "PublicAccessBlockConfiguration" in changed:
            self._block_public_access(desired, s3, name)
        if "LifecycleConfiguration" in changed:
            self._set_lifecycle(desired, s3, name)
        if "OwnershipControls" in changed and given.get("OwnershipControls"):
            s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=given["OwnershipControls"])
        if "CorsConfiguration" in changed and given.get("CorsConfiguration"):
            rules = [_cors_rule(rule) for rule in given["CorsConfiguration"]["CorsRules"]]
            s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
        if "LoggingConfiguration" in changed and given.get("LoggingConfiguration"):
            self._set_logging(s3, name, given["LoggingConfiguration"])
        if "Tags" in changed:
            tags = [{"Key": key, "Value": value} for key, value in desired.tags().items()]
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})

    @staticmethod
    def _encrypt(s3: Any, name: str, encryption: Mapping[str, Any] | None) -> None:
        if encryption is None:
            s3.delete_bucket_encryption(Bucket=name)
            return
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
                "BucketKeyEnabled": str(rule.get("BucketKeyEnabled", False)).lower() == "true",
            }
            for rule in encryption["ServerSideEncryptionConfiguration"]
        ]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})

    @staticmethod
    def _block_public_access(desired: Desired, s3: Any, name: str) -> None:
        block = desired.properties.get("PublicAccessBlockConfiguration")
        if block is None:
            s3.delete_public_access_block(Bucket=name)
            return
        request = {"Bucket": name, "PublicAccessBlockConfiguration": block}
        s3.put_public_access_block(**to_request("s3", "PutPublicAccessBlock", request, desired.type_name))

    @staticmethod
    def _set_lifecycle(desired: Desired, s3: Any, name: str) -> None:
        lifecycle = desired.properties.get("LifecycleConfiguration")
        if lifecycle is None:
            s3.delete_bucket_lifecycle(Bucket=name)
            return
        rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
        request = {"Bucket": name, "LifecycleConfiguration": {"Rules": rules}}
        s3.put_bucket_lifecycle_configuration(
            **to_request("s3", "PutBucketLifecycleConfiguration", request, desired.type_name)
        )

    @staticmethod
    def _set_logging(s3: Any, name: str, logging: Mapping[str, Any]) -> None:
        enabled = {
            "TargetBucket": logging.get("DestinationBucketName", name),
            "TargetPrefix": logging.get("LogFilePrefix", ""),
        }
        s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": enabled})

    @staticmethod
    def _attributes(name: str, region: str) -> dict[str, str]:
        return {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        }


def _notifications(given: Mapping[str, Any], type_name: str) -> dict[str, Any]:
    """Only EventBridge: the older ways to tell a queue, a topic or a function are refused."""
    for name in given:
        if name != "EventBridgeConfiguration":
            raise UnsupportedPropertyError(type_name, f"NotificationConfiguration.{name}")
    bridge = given.get("EventBridgeConfiguration")
    enabled = bridge is not None and str(bridge.get("EventBridgeEnabled", True)).lower() == "true"
    return {"EventBridgeConfiguration": {}} if enabled else {}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation's flat rule as the API's nested one."""
    made: dict[str, Any] = {"Status": rule["Status"], "Filter": _lifecycle_filter(rule)}
    for key, value in rule.items():
        if key in ("Status", *_FILTERS):
            continue
        if key == "Id":
            made["ID"] = value
        elif key == "ExpirationInDays":
            made.setdefault("Expiration", {})["Days"] = value
        elif key == "ExpiredObjectDeleteMarker":
            made.setdefault("Expiration", {})["ExpiredObjectDeleteMarker"] = value
        elif key == "NoncurrentVersionExpirationInDays":
            made["NoncurrentVersionExpiration"] = {"NoncurrentDays": value}
        elif key in ("Transitions", "NoncurrentVersionTransitions"):
            days = "Days" if key == "Transitions" else "NoncurrentDays"
            made[key] = [{"StorageClass": step["StorageClass"], days: step["TransitionInDays"]} for step in value]
        elif key in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
            made[key] = value
        else:
            raise UnsupportedPropertyError("AWS::S3::Bucket", f"LifecycleConfiguration.Rules[].{key}")
    return made


_FILTERS = ("Prefix", "TagFilters", "ObjectSizeGreaterThan", "ObjectSizeLessThan")


def _lifecycle_filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    """One condition stands alone, several under And; a rule without any is for every object."""
    tags = rule.get("TagFilters") or []
    plain = {key: rule[key] for key in _FILTERS if key != "TagFilters" and key in rule}
    if len(tags) + len(plain) > 1:
        return {"And": {**plain, **({"Tags": tags} if tags else {})}}
    return {"Tag": tags[0]} if tags else plain or {"Prefix": ""}


def _cors_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    names = {"ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds", "Id": "ID"}
    made = {names.get(key, key): value for key, value in rule.items()}
    if "MaxAgeSeconds" in made:
        made["MaxAgeSeconds"] = int(made["MaxAgeSeconds"])
    return made


class BucketPolicy(Resource):
    """A bucket's policy: putting it again replaces it."""

    type_name = "AWS::S3::BucketPolicy"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        request = desired.request(
            "s3", "PutBucketPolicy", PolicyDocument=None, Policy=desired.properties["PolicyDocument"]
        )
        desired.client("s3").put_bucket_policy(**request)
        return Created(request["Bucket"])

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        if before["Bucket"] != desired.properties["Bucket"]:
            desired.client("s3").delete_bucket_policy(Bucket=old.physical_id)
        return self.create(desired)

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("s3").delete_bucket_policy(Bucket=old.physical_id)


class Table(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html"""

    type_name = "AWS::DynamoDB::Table"
    replaces_on_update = False
    _KEPT = ("TableName", "KeySchema", "LocalSecondaryIndexes")

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("TableName") or desired.name(255))
        dynamodb = desired.client("dynamodb")
        reply = dynamodb.create_table(**self._request(desired, name))
        self._set_extras(desired, name, {})
        table = reply["TableDescription"]
        attributes = {"Arn": table["TableArn"], "TableId": table.get("TableId", "")}
        if stream := dynamodb.describe_table(TableName=name)["Table"].get("LatestStreamArn"):
            attributes["StreamArn"] = stream
        return Created(name, attributes)

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, *self._KEPT)
        dynamodb, given = desired.client("dynamodb"), desired.properties
        plain = {
            name: given[name]
            for name in ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled")
            if name in given and given.get(name) != before.get(name)
        }
        if plain:
            request = {"TableName": old.physical_id, **plain}
            dynamodb.update_table(**to_request("dynamodb", "UpdateTable", request, desired.type_name))
        self._update_indexes(desired, old.physical_id, before)
        self._set_extras(desired, old.physical_id, before)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        dynamodb = desired.client("dynamodb")
        table = dynamodb.describe_table(TableName=old.physical_id)["Table"]
        if table.get("DeletionProtectionEnabled"):
            raise ResourceError(f"Resource cannot be deleted as it is currently protected: {old.physical_id}")
        dynamodb.delete_table(TableName=old.physical_id)

    def _request(self, desired: Desired, name: str) -> dict[str, Any]:
        given = desired.properties
        stream = given.get("StreamSpecification")
        encryption = given.get("SSESpecification")
        return desired.request(
            "dynamodb",
            "CreateTable",
            TableName=name,
            PointInTimeRecoverySpecification=None,
            TimeToLiveSpecification=None,
            StreamSpecification={**stream, "StreamEnabled": True} if stream else None,
            SSESpecification=(
                {"Enabled": encryption["SSEEnabled"], **{k: v for k, v in encryption.items() if k != "SSEEnabled"}}
                if encryption
                else None
            ),
        )

    @staticmethod
    def _set_extras(desired: Desired, name: str, before: Mapping[str, Any]) -> None:
        dynamodb, given = desired.client("dynamodb"), desired.properties
        recovery = given.get("PointInTimeRecoverySpecification")
        if recovery != before.get("PointInTimeRecoverySpecification"):
            request = {
                "TableName": name,
                "PointInTimeRecoverySpecification": recovery or {"PointInTimeRecoveryEnabled": False},
            }
            dynamodb.update_continuous_backups(
                **to_request("dynamodb", "UpdateContinuousBackups", request, desired.type_name)
            )
        expiry = given.get("TimeToLiveSpecification")
        if expiry and expiry != before.get("TimeToLiveSpecification"):
            request = {"TableName": name, "TimeToLiveSpecification": expiry}
            dynamodb.update_time_to_live(**to_request("dynamodb", "UpdateTimeToLive", request, desired.type_name))

    @staticmethod
    def _update_indexes(desired: Desired, name: str, before: Mapping[str, Any]) -> None:
        old = {index["IndexName"]: index for index in before.get("GlobalSecondaryIndexes") or []}
        new = {index["IndexName"]: index for index in desired.properties.get("GlobalSecondaryIndexes") or []}
        changes = [{"Delete": {"IndexName": index}} for index in old if index not in new]
        changes += [{"Create": new[index]} for index in new if index not in old]
        if changed := [index for index in new if index in old and old[index] != new[index]]:
            raise ResourceError(f"Cannot update GSI's properties other than throughput: {', '.join(changed)}")
        if changes:
            request = {
                "TableName": name,
                "AttributeDefinitions": desired.properties["AttributeDefinitions"],
                "GlobalSecondaryIndexUpdates": changes,
            }
            desired.client("dynamodb").update_table(**to_request("dynamodb", "UpdateTable", request, desired.type_name))


TYPES: tuple[Resource, ...] = (Bucket(), BucketPolicy(), Table())
