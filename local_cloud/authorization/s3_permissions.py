"""Which permissions a request to S3 needs. Its operations are told apart by method, path and query.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from local_cloud.authorization.access import EVERYTHING, Access
from local_cloud.authorization.calls import Call

_OF_BUCKET = {
    ("GET", ""): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("GET", "versions"): "ListBucketVersions",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "tagging"): "GetBucketTagging",
    ("GET", "policy"): "GetBucketPolicy",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
}
_OF_OBJECT = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "acl"): "PutObjectAcl",
    ("GET", "attributes"): "GetObjectAttributes",
    # An upload in parts.
    ("POST", "uploads"): "PutObject",
    ("PUT", "uploadId"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
_OF_VERSION = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectAttributes": "GetObjectVersionAttributes",
}
"""The actions of one version of an object, which its own action does not allow."""
_SUBRESOURCES = {
    *("acl", "attributes", "cors", "delete", "encryption", "lifecycle", "location", "logging", "notification"),
    *("object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "restore"),
    *("select", "tagging", "uploadId", "uploads", "versioning", "versions", "website", "legal-hold", "retention"),
}
_LISTS = ("prefix", "delimiter", "max-keys")


def needed(call: Call) -> list[Access]:
    """All that a request needs; each must be allowed."""
    bucket, key = place(call)
    part = next((name for name in call.query if name in _SUBRESOURCES), "")
    if not bucket:
        return [Access("s3:ListAllMyBuckets", EVERYTHING)]
    if (call.method, part) == ("POST", "delete"):
        # Which objects stands in the body: whoever may delete each of the bucket's may delete these.
        return [Access("s3:DeleteObject", arn(bucket, "*"))]
    if not key:
        action = _OF_BUCKET.get((call.method, part), "(unknown)")
        told = {f"s3:{name}": [call.query[name]] for name in _LISTS if name in call.query}
        return [Access(f"s3:{action}", arn(bucket), told)]
    return _of_object(call, part, arn(bucket, key))


def place(call: Call) -> tuple[str, str]:
    """Bucket and key, "" where the request has none. The bucket is in the host or the first part of the path."""
    host = call.headers.get("host", "").partition(":")[0]
    path = call.path.removeprefix("/")
    if host.endswith(".localhost"):
        return host.removesuffix(".localhost"), path
    bucket, _, key = path.partition("/")
    return bucket, key


def names_object(call: Call) -> bool:
    """Whether a request is about an object, not about a bucket."""
    return bool(place(call)[1])


def arn(bucket: str, key: str = "") -> str:
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def _of_object(call: Call, part: str, resource: str) -> list[Access]:
    name = _OF_OBJECT.get((call.method, part), "(unknown)")
    if "versionId" in call.query:
        name = _OF_VERSION.get(name, name)
    found = [Access(f"s3:{name}", resource, _encryption(call.headers))]
    if "x-amz-tagging" in call.headers and name == "PutObject":
        found.append(Access("s3:PutObjectTagging", resource, _tags(call.headers["x-amz-tagging"])))
    if "x-amz-acl" in call.headers and name == "PutObject":
        found.append(Access("s3:PutObjectAcl", resource))
    source = call.headers.get("x-amz-copy-source")
    return [*found, *_of_source(source)] if source else found


def _of_source(source: str) -> list[Access]:
    """What a copy reads. The tags that it takes along, where an object has any, are not looked at.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    path, _, version = source.partition("?versionId=")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    return [Access("s3:GetObjectVersion" if version else "s3:GetObject", arn(bucket, key))]


def _encryption(headers: Mapping[str, str]) -> dict[str, list[str]]:
    names = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")
    return {f"s3:{name}": [headers[name]] for name in names if name in headers}


def _tags(header: str) -> dict[str, list[str]]:
    tags = dict(parse_qsl(header))
    return {**{f"s3:requestobjecttag/{key.lower()}": [value] for key, value in tags.items()}}
