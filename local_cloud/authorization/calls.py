"""A request as a call: which operation of which service, with which parameters, wherever the protocol puts them.

Only what permissions depend on is read: names and ARNs, tags, metric namespaces. Bodies of objects stay where they are.

Source: https://smithy.io/2.0/aws/protocols/index.html
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.exceptions import UnknownServiceError

from local_cloud.aws_clients import service_model
from local_cloud.protocols import Protocol, protocol_of
from local_cloud.signatures import claims

_LABEL = re.compile(r"\\\{(\w+)(?:\\\+)?\\\}")
_LARGEST_UNPACKED = 16 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """`service` is the signing name (`states`, `monitoring`); `operation` "" where it is not known."""

    service: str
    operation: str
    region: str
    account: str
    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    parameters: Mapping[str, Any] = field(repr=False)

    def text(self, name: str) -> str:
        """A parameter as text; "" when the caller did not give it."""
        value = self.parameters.get(name)
        return value if isinstance(value, str) else ""


def read(environ: dict[str, Any], account: str) -> Call:
    """The call that a signed request makes."""
    claim = claims.read(environ)
    is_old = isinstance(claim, claims.OldClaim)  # presigned, and S3's alone
    service, region = ("s3", "us-east-1") if isinstance(claim, claims.OldClaim) else (claim.service, claim.region)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    path = unquote(environ.get("RAW_URI", "").partition("?")[0]) or environ.get("PATH_INFO", "")
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    protocol = Protocol.S3 if is_old or service in claims.S3_SERVICES else protocol_of(environ)
    operation, parameters = _READERS.get(protocol, _unknown)(environ, service, path, query)
    return Call(service, operation, region, account, environ["REQUEST_METHOD"], path, query, headers, parameters)


def _of_json(
    environ: dict[str, Any], _service: str, _path: str, _query: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    return str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2], _json(_body(environ))


def _of_query(
    environ: dict[str, Any], _service: str, _path: str, query: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    given = {**query, **dict(parse_qsl(_body(environ).decode("utf-8", "replace"), keep_blank_values=True))}
    return given.pop("Action", ""), given


def _of_rest_json(
    environ: dict[str, Any], service: str, path: str, query: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    for operation, method, pattern in _routes(service):
        found = pattern.fullmatch(path.rstrip("/") or "/") if method == environ["REQUEST_METHOD"] else None
        if found is not None:
            body = {} if _has_payload(service, operation) else _json(_body(environ))
            return operation, {**query, **body, **found.groupdict()}
    return "", {}


def _unknown(*_: Any) -> tuple[str, dict[str, Any]]:
    return "", {}


_READERS: dict[Protocol, Any] = {
    Protocol.JSON: _of_json,
    Protocol.QUERY: _of_query,
    Protocol.EC2: _of_query,
    Protocol.REST_JSON: _of_rest_json,
}


@functools.cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    """Name, method and path of every operation of a REST service, the most exact paths first."""
    try:
        model = service_model(service)
    except UnknownServiceError:
        return []
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = http["requestUri"].partition("?")[0].rstrip("/") or "/"
        pattern = _LABEL.sub(lambda label: f"(?P<{label[1]}>[^/]+)", re.escape(uri))
        found.append((uri.count("{"), name, http["method"], re.compile(pattern)))
    return [(name, method, pattern) for _, name, method, pattern in sorted(found, key=lambda one: one[:2])]


def _has_payload(service: str, operation: str) -> bool:
    """Whether the body is one parameter, such as a function's event, and not all of them."""
    shape = service_model(service).operation_model(operation).input_shape
    return shape is not None and "payload" in shape.serialization


def _json(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _body(environ: dict[str, Any]) -> bytes:
    """The body, which the signature's gate left in memory, left in place; unpacked if it is packed."""
    stream = environ["wsgi.input"]
    if not isinstance(stream, io.BytesIO):
        return b""
    body = stream.getvalue()
    if environ.get("HTTP_CONTENT_ENCODING") != "gzip":
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            return packed.read(_LARGEST_UNPACKED)
    except (OSError, EOFError, zlib.error):
        return b""
