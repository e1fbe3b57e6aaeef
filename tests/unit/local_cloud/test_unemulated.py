"""What is not emulated is refused by name, and what fails is told, in the words of the asked service."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from local_cloud.unemulated import named

HTML = [("Content-Type", "text/html; charset=utf-8")]


def request(service: str, method: str = "POST", path: str = "/", body: bytes = b"", **environ: str) -> dict[str, Any]:
    return {
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/{service}/aws4_request, Signature=0",
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "wsgi.input": io.BytesIO(body),
        **environ,
    }


def ask(application: Callable[..., Any], environ: dict[str, Any]) -> tuple[str, bytes]:
    said: list[str] = []
    body = named(application)(environ, lambda status, headers: said.append(status))
    return said[0], b"".join(body)


def raising(error: Exception) -> Callable[..., Any]:
    def application(*_: Any) -> Any:
        raise error

    return application


def answering(status: str, headers: list[tuple[str, str]], body: bytes) -> Callable[..., Any]:
    def application(_: Any, start_response: Any) -> list[bytes]:
        start_response(status, headers)
        return [body]

    return application


def test_an_operation_that_is_not_implemented_is_refused_by_name() -> None:
    environ = request("dynamodb", HTTP_X_AMZ_TARGET="DynamoDB_20120810.ListTables")
    status, body = ask(raising(NotImplementedError("nobody wrote it")), environ)
    told = json.loads(body)
    assert (status[:3], told["__type"]) == ("501", "UnknownOperationException")
    assert told["message"] == "dynamodb:ListTables is not emulated: nobody wrote it"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (request("batch", path="/v1/listservicejobs"), "batch:ListServiceJobs is not emulated"),
        (request("batch", path="/v1/nothing"), "batch POST /v1/nothing is not emulated"),
        (
            request("ecs", HTTP_X_AMZ_TARGET="E.RunTask"),
            "ecs:RunTask is not emulated: no container would run: use Batch",
        ),
        (request("glue", HTTP_X_AMZ_TARGET="AWSGlue.GetTables"), "glue:GetTables is not emulated"),
    ],
)
def test_what_has_no_verdict_never_reaches_moto(environ: dict[str, Any], message: str) -> None:
    status, body = ask(raising(AssertionError("it was asked")), environ)
    assert (status[:3], json.loads(body)["message"]) == ("501", message)


def test_a_failure_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    status, body = ask(raising(KeyError("x")), request("batch", path="/v1/submitjob"))
    assert (status[:3], json.loads(body)["__type"]) == ("500", "InternalFailure")
    assert "batch:SubmitJob failed in the embedded cloud: KeyError: 'x'" in json.loads(body)["message"]
    assert "KeyError" in caplog.text


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("404 NOT FOUND", [("Content-Type", "application/json")]),
        ("200 OK", HTML),
    ],
)
def test_what_a_service_says_is_passed_on(status: str, headers: list[tuple[str, str]]) -> None:
    assert ask(answering(status, headers, b"as it is"), request("s3", "GET", "/x")) == (status, b"as it is")
