"""Service Quotas of a real account against what is needed, and the request to file for what is too little.

Source: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html (the value that an
account has; for a quota that was never changed there may be none, and the default holds)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cli.check.quotas.account_needs import Need

_ABSENT = "NoSuchResourceException"
Client = Callable[[str | None], Any]
"""Makes a client of Service Quotas for a Region; None is the caller's own."""


class QuotasUnreadableError(Exception):
    """Service Quotas did not answer: `operation` is what was asked, `code` and `status` are its refusal."""

    def __init__(self, operation: str, code: str, status: int, message: str) -> None:
        super().__init__(f"Service Quotas does not answer {operation}: {code}: {message}")
        self.operation = operation
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What an account has of a need. `have` is None where Service Quotas lists no such quota."""

    need: Need
    have: float | None
    code: str | None

    @property
    def lacks(self) -> bool:
        return self.have is not None and self.have < self.need.need

    @property
    def request(self) -> str | None:
        """The command that asks AWS for more; None where nothing lacks."""
        if not self.lacks:
            return None
        region = f" --region {self.need.region}" if self.need.region else ""
        return (
            f"aws service-quotas request-service-quota-increase --service-code {self.need.service} "
            f"--quota-code {self.code} --desired-value {self.need.need}{region}"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "service": self.need.service,
            "quota": self.need.name,
            "code": self.code,
            "need": self.need.need,
            "have": self.have,
            "lacks": self.lacks,
            "why": self.need.why,
            "request": self.request,
        }


def answers(needs: Iterable[Need], client: Client) -> list[Answer]:
    """Ask for each. Raises: QuotasUnreadableError."""
    codes: dict[str, dict[str, str]] = {}
    return [_answer(need, client(need.region), codes) for need in needs]


def _answer(need: Need, client: Any, codes: dict[str, dict[str, str]]) -> Answer:
    code = need.code
    if code is None:
        if need.service not in codes:
            codes[need.service] = _codes(client, need.service)
        code = codes[need.service].get(need.name.lower())
    return Answer(need, None if code is None else _value(client, need.service, code), code)


def _codes(client: Any, service: str) -> dict[str, str]:
    """The codes of a service's quotas by their names in small letters."""
    found: dict[str, str] = {}
    token: dict[str, str] = {}
    while True:
        page = _call(
            client.list_aws_default_service_quotas, "ListAWSDefaultServiceQuotas", ServiceCode=service, **token
        )
        if page is None:
            return found
        found |= {one["QuotaName"].lower(): one["QuotaCode"] for one in page["Quotas"]}
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def _value(client: Any, service: str, code: str) -> float | None:
    """The account's value, else AWS's default; None if Service Quotas knows neither."""
    asked = {"ServiceCode": service, "QuotaCode": code}
    found = _call(client.get_service_quota, "GetServiceQuota", **asked)
    if found is None:
        found = _call(client.get_aws_default_service_quota, "GetAWSDefaultServiceQuota", **asked)
    return None if found is None else float(found["Quota"]["Value"])


def _call(method: Callable[..., Any], operation: str, **arguments: Any) -> Any | None:
    """An answer; None where there is no such quota. Raises: QuotasUnreadableError."""
    try:
        return method(**arguments)
    except ClientError as error:
        said = error.response["Error"]
        if said["Code"] == _ABSENT:
            return None
        status = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
        raise QuotasUnreadableError(operation, said["Code"], status, said.get("Message", "")) from error
