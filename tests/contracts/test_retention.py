"""docs/retention.md says what the templates do: every rule that expires something, and that nothing else does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cli.check import documents

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/retention.md").read_text()
RULES = {
    "DvcTemporaryCopies": "1 day",
    "Checkpoints": "14 days",
    "DeleteMarkersOfNothing": "not at all",
    "AbandonedUploads": "7 days",
}


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a kind in the templates that keep something."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("template.yaml", "stacks/prediction.yaml"):
        template = documents.read(ROOT / name, ROOT).value
        found |= {key: one for key, one in template["Resources"].items() if one["Type"] == kind}
    return found


def test_every_lifecycle_rule_is_on_the_page_with_its_time() -> None:
    rules = {
        rule["Id"]: rule
        for bucket in resources("AWS::S3::Bucket").values()
        for rule in bucket["Properties"].get("LifecycleConfiguration", {}).get("Rules", [])
    }
    assert set(rules) == set(RULES)
    for name, told in RULES.items():
        (row,) = (line for line in PAGE.splitlines() if f"rule `{name}`" in line)
        assert told in row
    assert rules["DvcTemporaryCopies"]["ExpirationInDays"] == 1
    assert rules["Checkpoints"]["ExpirationInDays"] == 14
    assert rules["AbandonedUploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_nothing_else_of_a_run_or_of_its_data_expires() -> None:
    """But for what is tagged, temporary or broken off."""
    for name, bucket in resources("AWS::S3::Bucket").items():
        assert bucket["DeletionPolicy"] == "RetainExceptOnCreate", name
        for rule in bucket["Properties"].get("LifecycleConfiguration", {}).get("Rules", []):
            expires = {"ExpirationInDays", "NoncurrentVersionExpiration"} & rule.keys()
            assert not expires or "TagFilters" in rule or rule["Prefix"] == "dvc/files/md5/.", rule
    assert len(resources("AWS::S3::Bucket")) == 3


def test_tables_can_be_restored_and_are_not_deleted() -> None:
    tables = resources("AWS::DynamoDB::Table")
    assert len(tables) == 2
    for name, table in tables.items():
        assert table["DeletionPolicy"] == "Retain", name
        assert table["Properties"]["DeletionProtectionEnabled"] is True
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_logs_and_dead_letters() -> None:
    template = documents.read(ROOT / "template.yaml", ROOT).value
    days = template["Parameters"]["LogRetentionDays"]["Default"]
    assert f"`LogRetentionDays`, {days} by default" in PAGE
    assert {queue["Properties"]["MessageRetentionPeriod"] for queue in resources("AWS::SQS::Queue").values()} == {
        14 * 86_400
    }
    assert re.search(r"dead letters \| SQS \| 14 days", PAGE)
