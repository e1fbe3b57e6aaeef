"""What an account has against what is needed, on stubbed answers of Service Quotas, and where nobody answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from cli import app, exit_codes
from cli.check.quotas import account, account_needs
from cli.check.quotas.account import QuotasUnreadableError
from cli.check.quotas.account_needs import Need, UnknownInstanceTypeError
from cli.cloud import Cloud
from tests.unit.cli.check.quotas.conftest import ROOT

VCPUS = Need("ec2", "L-417A185B", "Running On-Demand P instances", 768, "7 VMs")
BY_NAME = Need("sagemaker", None, "ml.m5.xlarge for transform job usage", 4, "a team each")


class Quotas:
    """Service Quotas: applied values and defaults by code, names by code, or a refusal of everything."""

    def __init__(
        self, applied: dict[str, float], defaults: dict[str, float], names: dict[str, str], refusal: str = ""
    ) -> None:
        self._applied, self._defaults, self._names, self._refusal = applied, defaults, names, refusal
        self.asked: list[str] = []

    def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> Any:  # noqa: N803
        return self._answer("GetServiceQuota", self._applied, QuotaCode)

    def get_aws_default_service_quota(self, ServiceCode: str, QuotaCode: str) -> Any:  # noqa: N803
        return self._answer("GetAWSDefaultServiceQuota", self._defaults, QuotaCode)

    def list_aws_default_service_quotas(self, ServiceCode: str, NextToken: str = "") -> Any:  # noqa: N803
        """Two pages: the quotas are on the second one."""
        self.asked.append("ListAWSDefaultServiceQuotas")
        if not NextToken:
            return {"Quotas": [], "NextToken": "more"}
        return {"Quotas": [{"QuotaName": name, "QuotaCode": code} for code, name in self._names.items()]}

    def _answer(self, operation: str, values: dict[str, float], code: str) -> Any:
        self.asked.append(operation)
        if self._refusal or code not in values:
            said = {"Code": self._refusal or "NoSuchResourceException", "Message": "no"}
            raise ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)  # type: ignore[typeddict-item]
        return {"Quota": {"Value": values[code]}}


def test_what_lacks_comes_with_the_request_to_file() -> None:
    (found,) = account.answers([VCPUS], lambda _: Quotas({"L-417A185B": 64.0}, {"L-417A185B": 0.0}, {}))
    assert (found.have, found.lacks) == (64.0, True)
    assert found.request == (
        "aws service-quotas request-service-quota-increase --service-code ec2 "
        "--quota-code L-417A185B --desired-value 768"
    )


def test_what_suffices_needs_no_request() -> None:
    (found,) = account.answers([VCPUS], lambda _: Quotas({"L-417A185B": 768.0}, {}, {}))
    assert (found.lacks, found.request) == (False, None)


def test_a_quota_that_was_never_changed_has_its_default() -> None:
    quotas = Quotas({}, {"L-417A185B": 0.0}, {})
    (found,) = account.answers([VCPUS], lambda _: quotas)
    assert (found.have, found.lacks) == (0.0, True)
    assert quotas.asked == ["GetServiceQuota", "GetAWSDefaultServiceQuota"]


def test_a_quota_without_a_known_code_is_found_by_its_name_on_any_page() -> None:
    quotas = Quotas({}, {"L-7939E4EC": 8.0}, {"L-7939E4EC": "ml.m5.xlarge for transform job usage"})
    (found,) = account.answers([BY_NAME], lambda _: quotas)
    assert (found.code, found.have, found.lacks) == ("L-7939E4EC", 8.0, False)


def test_a_quota_that_is_not_listed_is_not_taken_for_enough() -> None:
    (found,) = account.answers([BY_NAME], lambda _: Quotas({}, {}, {}))
    assert (found.have, found.lacks, found.as_json()["have"]) == (None, False, None)


def test_a_refusal_names_the_operation() -> None:
    with pytest.raises(QuotasUnreadableError, match="GetServiceQuota: AccessDeniedException") as raised:
        account.answers([VCPUS], lambda _: Quotas({}, {}, {}, "AccessDeniedException"))
    assert raised.value.code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("instance_type", "on_demand", "spot"),
    [
        ("p4d.24xlarge", "L-417A185B", "L-7212CCBC"),
        ("p5.48xlarge", "L-417A185B", "L-C4BD4855"),
        ("g5.2xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("c7i.large", "L-1216C47A", "L-34B43A08"),
    ],
)
def test_vcpus_count_under_the_quota_of_their_kind(instance_type: str, on_demand: str, spot: str) -> None:
    needs = account_needs.needs(ROOT, {"TrainingInstanceType": instance_type}, 4)
    of_ec2 = [(need.code, need.need) for need in needs if need.service == "ec2"]
    assert of_ec2 == [(on_demand, 672 + 96), (spot, 672 + 96)]


def test_without_spot_none_is_needed() -> None:
    needs = account_needs.needs(ROOT, {"SpotSubmissions": "0", "MaxTrainingVcpus": "96"}, 4)
    assert [need.need for need in needs if need.service == "ec2"] == [96 + 96]


@pytest.mark.parametrize("instance_type", ["trn1.32xlarge", "inf2.xlarge", "p9.large", "dl1.24xlarge"])
def test_a_type_of_an_unknown_kind_is_refused(instance_type: str) -> None:
    with pytest.raises(UnknownInstanceTypeError, match=instance_type):
        account_needs.needs(ROOT, {"TrainingInstanceType": instance_type}, 4)


def test_teams_count() -> None:
    few, many = ({need.name: need.need for need in account_needs.needs(ROOT, {}, teams)} for teams in (1, 101))
    assert many["Roles per account"] - few["Roles per account"] == 300
    assert many["Stack count"] - few["Stack count"] == 100
    assert many["ml.m5.xlarge for transform job usage"] == 101


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        yield


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["turbine", "check", "--account", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return int(ended.value.code or 0)


def _answering(monkeypatch: pytest.MonkeyPatch, quotas: Any) -> None:
    real = Cloud.client
    monkeypatch.setattr(
        Cloud, "client", lambda self, service: quotas if service == "service-quotas" else real(self, service)
    )


@pytest.mark.usefixtures("aws")
def test_the_command_prints_what_to_file_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    enough = {need.code: 1e6 for need in account_needs.needs(ROOT, {}, 4) if need.code}
    _answering(monkeypatch, Quotas({**enough, "L-417A185B": 0.0}, {}, {}))
    assert _run(monkeypatch) == exit_codes.FAILED
    told = capsys.readouterr()
    assert "--service-code ec2 --quota-code L-417A185B --desired-value 768" in told.out
    assert told.out.count("request-service-quota-increase") == 1
    assert "there is no stack 'turbine' yet" in told.err
    assert "lists no 'ml.m5.xlarge for transform job usage'" in told.err
    _answering(monkeypatch, Quotas(enough, {}, {}))
    assert _run(monkeypatch, "--json") == exit_codes.OK
    told_as_json = json.loads(capsys.readouterr().out)
    assert told_as_json["lacking"] == 0 < told_as_json["unknown"]


@pytest.mark.usefixtures("aws")
def test_a_deployed_stacks_parameters_and_teams_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("s3").create_bucket(Bucket="data")
    for team in ("a", "b"):
        boto3.client("s3").put_object(Bucket="data", Key=f"config/teams/{team}.yaml", Body=b"x")
    template = {
        "Parameters": {"MaxTrainingVcpus": {"Type": "Number"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"DataBucketName": {"Value": "data"}},
    }
    boto3.client("cloudformation").create_stack(
        StackName="turbine",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "MaxTrainingVcpus", "ParameterValue": "192"}],
    )
    _answering(monkeypatch, Quotas({}, {}, {}))
    _run(monkeypatch, "--json")
    told = json.loads(capsys.readouterr().out)
    needs = {one["quota"]: one["need"] for one in told["quotas"]}
    assert needs["Running On-Demand P instances"] == 192 + 96
    assert needs["ml.m5.xlarge for transform job usage"] == 2
    assert told["basis"] == "the parameters of the stack 'turbine' and its 2 teams"


@pytest.mark.parametrize(
    ("code", "said", "exit_code"),
    [
        ("AccessDeniedException", "servicequotas:GetServiceQuota", exit_codes.FAILED),
        ("UnknownOperationException", "the embedded cloud has no Service Quotas", exit_codes.NO_STACK),
    ],
)
@pytest.mark.usefixtures("aws")
def test_who_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str, said: str, exit_code: int
) -> None:
    class Refusing(Quotas):
        class meta:  # noqa: N801  botocore's name
            endpoint_url = "https://servicequotas.us-east-1.amazonaws.com"

    _answering(monkeypatch, Refusing({}, {}, {}, code))
    assert _run(monkeypatch) == exit_code
    told = capsys.readouterr()
    assert f"GetServiceQuota: {code}" in told.err and said in told.err
    assert told.out == ""
