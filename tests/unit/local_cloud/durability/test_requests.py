"""Whose backends a commit takes along, and which calls are one with their answer."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud import intents
from local_cloud.durability import requests
from local_cloud.durability.tracked import TrackedDict, changes


def signed_for(service: str, **more: str) -> dict[str, Any]:
    scope = f"AWS4-HMAC-SHA256 Credential=AKIA/20261126/us-east-1/{service}/aws4_request, SignedHeaders=host"
    return {"HTTP_AUTHORIZATION": scope, "PATH_INFO": "/", **more}


def test_services_are_found_by_the_names_that_they_sign_with() -> None:
    for signing, folder in (("monitoring", "cloudwatch"), ("lambda", "awslambda"), ("sqs", "sqs")):
        services = requests.services_of(signed_for(signing))
        assert services is not None and folder in services


def test_a_name_that_says_no_service_may_be_any() -> None:
    assert requests.services_of(signed_for("elasticloadbalancing")) is None
    assert requests.services_of(signed_for("cloudformation")) is None


@pytest.mark.parametrize(
    ("intent", "environ", "is_brief"),
    [
        ("arn#7", signed_for("sqs", HTTP_X_AMZ_TARGET="AmazonSQS.SendMessage"), True),
        ("arn#7", signed_for("lambda", PATH_INFO="/2015-03-31/functions/f/invocations"), False),
        ("arn#7", signed_for("lambda", HTTP_X_AMZ_INVOCATION_TYPE="Event"), True),
        (f"{intents.STACK}t#s/Jobs.1", signed_for("batch", PATH_INFO="/v1/createjobqueue"), True),
        (
            f"{intents.STACK}t#s/Queue.delete.DeleteJobQueue1",
            signed_for("batch", PATH_INFO="/v1/deletejobqueue"),
            False,
        ),
    ],
)
def test_a_call_is_one_with_its_answer_unless_it_waits(intent: str, environ: dict[str, Any], is_brief: bool) -> None:
    assert requests._is_brief(intent, environ) is is_brief


def test_an_entry_that_a_request_changes_after_another_s_commit_took_it_is_written_with_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = TrackedDict({"counter": {"n": 6}}.items())
    written: list[tuple[Any, set[Any]]] = []

    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        item = table["counter"]
        changes.take()  # another's commit comes now
        item["n"] = 7
        start_response("200 OK", [])
        return [b"{}"]

    monkeypatch.setattr(requests.commits, "commit", lambda _services: written.extend(changes.take().entries))
    environ = signed_for("dynamodb", REQUEST_METHOD="POST", HTTP_X_AMZ_TARGET="DynamoDB_20120810.UpdateItem")
    list(requests.durable(application)(environ, lambda *_: None))
    assert (table, {"counter"}) in written
