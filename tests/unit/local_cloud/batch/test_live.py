"""The scheduler among moto's state."""

from __future__ import annotations

from types import SimpleNamespace

from moto import mock_aws
from moto.batch.models import batch_backends

from local_cloud.batch import live


def test_jobs_of_all_accounts_and_regions_are_found() -> None:
    with mock_aws():
        for account, region in (("111111111111", "us-east-1"), ("222222222222", "eu-west-1")):
            batch_backends[account][region]._jobs["job"] = SimpleNamespace(account=account)
        assert {job.account for job in live.all_records()} == {"111111111111", "222222222222"}
        for account, region in (("111111111111", "us-east-1"), ("222222222222", "eu-west-1")):
            batch_backends[account][region]._jobs.clear()
