"""A smoke test trains for a team of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli import exit_codes
from cli.cloud import Cloud
from cli.errors import CommandError
from cli.smoke import own_team, report, seen
from turbine.domain import team as team_domain
from turbine.domain.manifest import Manifest
from turbine.domain.names import is_team


def test_each_test_has_a_name_of_its_own() -> None:
    first, second = own_team.new_name(), own_team.new_name()
    assert first != second
    assert own_team.check_name(first) == first


@pytest.mark.parametrize("name", ["vision", "smoke-1", "Smoke1", "", "smokedetect", "smoke1a2b3c4d5"])
def test_another_teams_name_is_refused(name: str) -> None:
    with pytest.raises(CommandError) as raised:
        own_team.check_name(name)
    assert raised.value.exit_code == exit_codes.REFUSED
    assert "champion" in str(raised.value.next_step)


class FakeCloud(Cloud):
    """Clients that have an address and nothing else."""

    def __init__(self, *hosts: str) -> None:
        self.outputs, self._hosts, self._asked = {"DataBucketName": "data"}, hosts, 0

    def client(self, service: str) -> Any:
        self._asked += 1
        host = self._hosts[self._asked % len(self._hosts)]
        return type("Client", (), {"meta": type("Meta", (), {"endpoint_url": f"https://{host}"})})


def test_its_file_and_its_manifest_are_valid() -> None:
    name = own_team.new_name()
    file = team_domain.parse(own_team.team_file(name).encode())
    assert (file.team, is_team(name)) == (name, True)
    manifest = Manifest.model_validate(json.loads(own_team.manifest(FakeCloud("x"), name)))
    assert manifest.team == name
    failing = json.loads(own_team.manifest(FakeCloud("x"), name, own_team.NO_COLUMN))
    assert Manifest.model_validate(failing).dataset.target == "no_such_column"
    assert manifest.dataset.source.uri == f"s3://data/datasets/{name}/wine/v1/"


@pytest.mark.parametrize(
    ("hosts", "is_aws"),
    [
        (["states.us-east-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn"], True),
        (["127.0.0.1:4566"], False),
        (["s3.us-east-1.amazonaws.com", "localhost"], False),
        (["amazonaws.com.example.org"], False),
    ],
)
def test_aws_is_told_by_the_addresses(hosts: list[str], is_aws: bool) -> None:
    assert seen.is_aws(FakeCloud(*hosts)) is is_aws


def test_the_cost_names_hosts_and_known_prices() -> None:
    assert "one c7i.large for two jobs" in report.cost(["c7i.large"])
    assert "p4d.24xlarge 21.96" in report.cost(["p4d.24xlarge"])
