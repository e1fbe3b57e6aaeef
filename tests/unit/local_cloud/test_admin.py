"""This cloud's own paths: which hosts there are, and what is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from local_cloud.admin import administered
from local_cloud.batch import instances
from local_cloud.batch.instances import Instance


def call(method: str, path: str, body: bytes = b"") -> tuple[str, Any]:
    def service(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b'"of a service"']

    said: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    answered = administered(service)(environ, lambda status, headers: said.append(status))
    return said[0], json.loads(b"".join(answered))


def host(*, is_spot: bool = True) -> Instance:
    return Instance("123456789012", "us-east-1", is_spot, "cluster", {"jobId": "j"})


def test_live_hosts_are_listed_and_others_are_not() -> None:
    instance = host()
    with instances.launched(instance):
        (listed,) = call("GET", "/_local/batch/hosts")[1]["hosts"]
    assert (listed["instanceId"], listed["jobId"], listed["isSpot"]) == (instance.instance_id, "j", True)
    assert call("GET", "/_local/batch/hosts")[1]["hosts"] == []


@pytest.mark.parametrize(("ending", "is_lost", "is_going"), [("lose", True, False), ("terminate", False, True)])
def test_each_ending_is_its_own(ending: str, is_lost: bool, is_going: bool) -> None:
    instance = host(is_spot=False)
    with instances.launched(instance):
        status, _ = call("POST", f"/_local/batch/hosts/{instance.instance_id}/{ending}")
    assert (status, instance.is_lost.is_set(), instance.is_going.is_set()) == ("200 OK", is_lost, is_going)


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"notice_s": true}', b'{"notice_s": -1}', b'{"notice_s": NaN}', b'{"notice_s": 1e9}']
)
def test_a_notice_that_is_no_sensible_number_is_refused(body: bytes) -> None:
    instance = host()
    with instances.launched(instance):
        status, _ = call("POST", f"/_local/batch/hosts/{instance.instance_id}/reclaim", body)
    assert (status, instance.ends_at) == ("400 Bad Request", None)


def test_what_is_not_there_is_named() -> None:
    assert call("POST", "/_local/batch/hosts/i-1/lose")[0] == "404 Not Found"
    assert call("DELETE", "/_local/batch/hosts")[0] == "404 Not Found"


def test_all_other_paths_are_the_services() -> None:
    assert call("GET", "/_locally/x") == ("200 OK", "of a service")
    assert call("GET", "/bucket/_local/x") == ("200 OK", "of a service")
