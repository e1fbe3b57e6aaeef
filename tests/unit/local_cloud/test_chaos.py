"""Faults on purpose: the same for the same seed, in each service's own words, and never for the cloud itself."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud import aws_clients, chaos, server
from local_cloud.chaos import Chaos, ChaosOptionError, Options, parse


@pytest.fixture(autouse=True)
def _off_again() -> Iterator[None]:
    yield
    chaos.use(None)


class Application:
    """Counts the requests that take effect."""

    def __init__(self) -> None:
        self.effects = 0
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.effects += 1
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"fine"])

    def close(self) -> None:
        self.closed += 1


def call(application: Any, service: str, **changes: Any) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body of one request to a service."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=K/20261123/us-east-1/{service}/aws4_request, Signed",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": "5",
        "wsgi.input": io.BytesIO(b"12345"),
        **changes,
    }
    answered: list[Any] = []
    body = b"".join(application(environ, lambda status, headers: answered.append((status, dict(headers)))))
    return (*answered[-1], body)


def test_options_are_read_and_what_is_none_is_refused() -> None:
    assert parse("7") == Options("7", **chaos.DEFAULTS)  # type: ignore[arg-type]
    assert parse("7:throttle=0.5,max_delay_s=3,internal") == Options("7", throttle=0.5, max_delay_s=3, internal=True)
    for text in ("", ":throttle=1", "7:", "7:throttle", "7:throttle=2", "7:throtle=1", "7:delay=-1", "7:fail_after=x"):
        with pytest.raises(ChaosOptionError):
            parse(text)
    for whose in ("", "task_"):
        with pytest.raises(ChaosOptionError, match=f"{whose}throttle.* more than 1"):
            parse(f"7:{whose}throttle=0.6,{whose}fail_before=0.6")


def test_the_same_seed_gives_the_same_faults_in_their_shares() -> None:
    options = Options("s", throttle=0.2, fail_before=0.1, fail_after=0.1, duplicate=0.3, delay=0.2, reorder=0.2)
    first, second, other = Chaos(options), Chaos(options), Chaos(Options("t", throttle=0.2))
    faults = [first.call_fault() for _ in range(2_000)]
    assert faults == [second.call_fault() for _ in range(2_000)]
    assert faults != [other.call_fault() for _ in range(2_000)]
    kinds = [fault.kind for fault in faults if fault]
    assert [round(kinds.count(kind) / 200) for kind in ("throttle", "fail_before", "fail_after")] == [2, 1, 1]
    assert {fault.status for fault in faults if fault} == {500, 503}
    delays = [first.event_delays_s("e", "t") for _ in range(500)]
    # Calls in between do not change what deliveries meet.
    second.call_fault()
    assert delays == [second.event_delays_s("e", "t") for _ in range(500)]
    assert {len(one) for one in delays} == {1, 2}
    assert any(one[0] == chaos.REORDER_WINDOW_S for one in delays)
    assert all(0 <= delay <= options.max_delay_s for one in delays for delay in one)


def test_a_failure_before_has_no_effect_and_one_after_has(caplog: pytest.LogCaptureFixture) -> None:
    for kind, effects in (("fail_before", 0), ("fail_after", 1), ("throttle", 0)):
        inner = Application()
        chaos.use(Options("1", **{kind: 1.0}))  # type: ignore[arg-type]
        body = io.BytesIO(b"12345")
        with caplog.at_level(logging.WARNING):
            status, _, _ = call(
                chaos.disturbed(inner),
                "dynamodb",
                HTTP_X_AMZ_TARGET="DynamoDB_20120810.PutItem",
                **{"wsgi.input": body},
            )
        assert status.split()[0] == "400" if kind == "throttle" else status.split()[0] in ("500", "503")
        assert (inner.effects, inner.closed) == (effects, effects)
        if not effects:
            assert body.read() == b""  # else it would be taken for the next request of the connection
        assert f"chaos: {kind} on dynamodb PutItem" in caplog.text


@pytest.mark.parametrize(
    ("service", "content_type", "status", "expected"),
    [
        ("dynamodb", "application/x-amz-json-1.0", "400", b'"__type": "ThrottlingException"'),
        ("states", "application/x-amz-json-1.0", "400", b'"__type": "ThrottlingException"'),
        ("sqs", "application/x-amz-json-1.0", "403", b'"__type": "RequestThrottled"'),
        ("sns", "application/x-www-form-urlencoded; charset=utf-8", "429", b"<Code>Throttled</Code>"),
        (
            "ec2",
            "application/x-www-form-urlencoded; charset=utf-8",
            "503",
            b"<Errors><Error><Code>RequestLimitExceeded",
        ),
        ("s3", "", "503", b"<Error><Code>SlowDown</Code>"),
        ("batch", "application/json", "429", b'{"message": "Rate exceeded"}'),
        ("lambda", "application/json", "429", b'{"message": "Rate exceeded"}'),
        ("monitoring", "application/x-amz-json-1.0", "400", b'"__type": "Throttling"'),
    ],
)
def test_throttling_is_in_the_words_of_the_service(
    service: str, content_type: str, status: str, expected: bytes
) -> None:
    chaos.use(Options("1", throttle=1.0))
    answered, headers, body = call(chaos.disturbed(Application()), service, CONTENT_TYPE=content_type)
    assert answered.split()[0] == status
    assert expected in body
    assert headers["Content-Length"] == str(len(body))
    if content_type == "application/json":
        assert headers["x-amzn-ErrorType"] == "TooManyRequestsException"


def test_the_clouds_own_calls_and_calls_of_nobody_are_left_alone() -> None:
    inner = Application()
    application = chaos.disturbed(inner)
    own = {"HTTP_USER_AGENT": f"Boto3/1 {aws_clients.INTERNAL_MARK}"}
    assert call(application, "s3")[0] == "200 OK"
    chaos.use(Options("1", throttle=1.0))
    assert call(application, "s3", **own)[0] == "200 OK"
    assert call(application, "s3", HTTP_AUTHORIZATION="")[0] == "200 OK"
    assert call(application, "s3", HTTP_USER_AGENT="Boto3/1")[0].startswith("503")
    chaos.use(Options("1", throttle=1.0, internal=True))
    assert call(application, "s3", **own)[0].startswith("503")


def test_the_calls_of_tasks_have_faults_of_their_own() -> None:
    of_task = {
        "HTTP_USER_AGENT": f"Boto3/1 {aws_clients.INTERNAL_MARK}",
        "HTTP_X_LOCAL_INTENT": "arn:aws:states:us-east-1:123456789012:execution:m:e#5",
    }
    of_stack = of_task | {"HTTP_X_LOCAL_INTENT": "stack/turbine#Table.create.CreateTable1"}
    forged = of_task | {"HTTP_USER_AGENT": "Boto3/1"}
    application = chaos.disturbed(Application())
    chaos.use(Options("1", task_throttle=1.0))
    assert call(application, "lambda", CONTENT_TYPE="application/json", **of_task)[0].startswith("429")
    for others in (of_stack, forged):
        assert call(application, "lambda", **others)[0] == "200 OK"
    chaos.use(Options("1", throttle=1.0))
    assert call(application, "lambda", **of_task)[0] == "200 OK"
    assert call(application, "lambda", **forged)[0].startswith("429")


def test_the_fate_of_a_tasks_call_does_not_depend_on_other_calls() -> None:
    options = Options("s", throttle=0.5, task_throttle=0.3, task_fail_before=0.1, task_fail_after=0.1)
    alone, among_others = Chaos(options), Chaos(options)
    faults = [alone.task_fault() for _ in range(1_000)]
    assert [(among_others.call_fault(), among_others.task_fault())[1] for _ in range(1_000)] == faults
    kinds = [fault.kind for fault in faults if fault]
    assert [round(kinds.count(kind) / 100) for kind in ("throttle", "fail_before", "fail_after")] == [3, 1, 1]


def test_the_answer_to_head_has_no_body() -> None:
    chaos.use(Options("1", throttle=1.0))
    assert call(chaos.disturbed(Application()), "s3", REQUEST_METHOD="HEAD")[2] == b""


@pytest.mark.parametrize("given", ["argument", "variable"])
def test_a_cloud_is_not_started_with_an_option_that_is_none(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--state-dir", str(tmp_path / "state"), "--project-dir", str(tmp_path)]
    if given == "argument":
        arguments += ["--chaos", "7:explode=1"]
    else:
        monkeypatch.setenv("TURBINE_LOCAL_CHAOS", "7:explode=1")
    with pytest.raises(SystemExit) as caught:
        server.main(arguments)
    assert caught.value.code == 2
    assert "'explode' is no option" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()
