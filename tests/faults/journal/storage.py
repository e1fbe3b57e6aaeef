"""S3 objects and DynamoDB items."""

from __future__ import annotations

import random
from typing import Any

from botocore.exceptions import ClientError

from tests.faults.journal.promises import Client, Outage, Promise, is_there, pages, require, require_once

BUCKET = TABLE = "journal"
_LARGE = 400


class Objects(Promise):
    """Put in one piece or in parts, some deleted: an answered version is there with its bytes, a deleted one is not.

    One whose upload broke off is not there, or whole.
    """

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._bodies: dict[str, bytes] = {}
        self._versions: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._open_deletes: set[str] = set()

    def prepare(self, client: Client) -> None:
        client("s3").create_bucket(Bucket=BUCKET)
        client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        self._bodies[name] = name.encode() * dice.choice((1, _LARGE))
        put = self._put_in_parts if dice.random() < 0.25 else self._put
        version = put(client("s3"), name)
        self._versions[name] = version
        if dice.random() < 0.25:
            self._open_deletes.add(name)
            client("s3").delete_object(Bucket=BUCKET, Key=name, VersionId=version)
            self._deleted.add(name)

    def _put(self, s3: Any, name: str) -> str:
        return str(s3.put_object(Bucket=BUCKET, Key=name, Body=self._bodies[name])["VersionId"])

    def _put_in_parts(self, s3: Any, name: str) -> str:
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key=name)["UploadId"]
        given = {"Bucket": BUCKET, "Key": name, "UploadId": upload}
        part = s3.upload_part(**given, PartNumber=1, Body=self._bodies[name])
        parts = [{"ETag": part["ETag"], "PartNumber": 1}]
        return str(s3.complete_multipart_upload(**given, MultipartUpload={"Parts": parts})["VersionId"])

    def verify(self, client: Client, outage: Outage) -> None:
        found = pages(client("s3"), "list_object_versions", "Versions", Bucket=BUCKET, Prefix=self.tag)
        require_once([one["Key"] for one in found], "objects put")
        sizes = {one["Key"]: one["Size"] for one in found}
        for key, size in sizes.items():
            require(size == len(self._bodies[key]), f"object {key} has {size} of {len(self._bodies[key])} bytes")
        for key, version in self._versions.items():
            if key in self._deleted:
                require(key not in sizes, f"object {key} is there again")
            elif key not in self._open_deletes:
                require(_read(client, key, version) == self._bodies[key], f"object {key} in version {version}")


class Items(Promise):
    """Put under a condition, two in a transaction, which are both there or none; a deleted one stays deleted."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._put: set[str] = set()
        self._pairs: set[str] = set()
        self._open_pairs: set[str] = set()
        self._deleted: set[str] = set()
        self._open_deletes: set[str] = set()

    def prepare(self, client: Client) -> None:
        client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        if dice.random() < 0.3:
            self._open_pairs.add(name)
            puts = [{"Put": self._request(f"{name}-{half}")} for half in "ab"]
            client("dynamodb").transact_write_items(TransactItems=puts)
            self._pairs.add(name)
            return
        client("dynamodb").put_item(**self._request(name))
        self._put.add(name)
        if dice.random() < 0.3:
            self._open_deletes.add(name)
            client("dynamodb").delete_item(TableName=TABLE, Key={"pk": {"S": name}})
            self._deleted.add(name)

    @staticmethod
    def _request(key: str) -> dict[str, Any]:
        item = {"pk": {"S": key}, "value": {"S": key}}
        return {"TableName": TABLE, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}

    def verify(self, client: Client, outage: Outage) -> None:
        scanned = pages(client("dynamodb"), "scan", "Items", TableName=TABLE, ConsistentRead=True)
        found = {one["pk"]["S"]: one for one in scanned if "value" in one}
        for key, one in found.items():
            require(one == {"pk": {"S": key}, "value": {"S": key}}, f"item {key} is torn: {one}")
        for name in self._put:
            if name in self._deleted:
                require(name not in found, f"item {name} is there again")
            elif name not in self._open_deletes:
                require(name in found, f"item {name} lost")
        for name in self._open_pairs:
            halves = [half for half in "ab" if f"{name}-{half}" in found]
            require(len(halves) == 2 or (not halves and name not in self._pairs), f"transaction {name}: {halves}")


class Counters(Promise):
    """One by `ADD`, one by compare-and-swap: each answered step counts once, and no two took the same number."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._answered: list[str] = []
        self._sent: list[str] = []
        self._swapped: list[int] = []

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        if dice.random() < 0.5:
            self._sent.append("add")
            self._update(client, "add", "ADD n :one", {":one": {"N": "1"}})
            self._answered.append("add")
            return
        old = self._value(client, "swap")
        self._sent.append("swap")
        values = {":old": {"N": str(old)}, ":new": {"N": str(old + 1)}}
        condition = "n = :old" if old else "attribute_not_exists(n)"
        try:
            self._update(client, "swap", "SET n = :new", values if old else {":new": values[":new"]}, condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            self._sent.remove("swap")  # another was faster, and this one knows it
        else:
            self._answered.append("swap")
            self._swapped.append(old + 1)

    def _key(self, which: str) -> dict[str, Any]:
        return {"TableName": TABLE, "Key": {"pk": {"S": f"{self.tag}-counter-{which}"}}}

    def _update(self, client: Client, which: str, expression: str, values: dict[str, Any], condition: str = "") -> None:
        conditions = {"ConditionExpression": condition} if condition else {}
        client("dynamodb").update_item(
            **self._key(which), UpdateExpression=expression, ExpressionAttributeValues=values, **conditions
        )

    def _value(self, client: Client, which: str) -> int:
        item = client("dynamodb").get_item(**self._key(which), ConsistentRead=True).get("Item")
        return int(item["n"]["N"]) if item else 0

    def verify(self, client: Client, outage: Outage) -> None:
        for which in ("add", "swap"):
            least, most, count = self._answered.count(which), self._sent.count(which), self._value(client, which)
            require(least <= count <= most, f"the counter by {which} is {count}, not {least} to {most}")
        require_once(map(str, self._swapped), "numbers of the counter by swap")


def _read(client: Client, key: str, version: str) -> bytes | None:
    if not is_there(client("s3").head_object, Bucket=BUCKET, Key=key, VersionId=version):
        return None
    body: bytes = client("s3").get_object(Bucket=BUCKET, Key=key, VersionId=version)["Body"].read()
    return body
