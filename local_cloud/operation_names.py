"""Which operation a request asks for, read from botocore's models.

Where a service speaks REST, several operations share a method and a path, and differ by their query or headers
(`PUT /bucket/key` is PutObject, CopyObject or UploadPart): the one that says most of what the request says is meant.

Source: https://smithy.io/2.0/aws/protocols/index.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from botocore.exceptions import UnknownServiceError

from local_cloud.aws_clients import service_models
from local_cloud.protocols import Protocol, protocol_of, service_of

_CBOR_PATH = re.compile(r"/service/[^/]+/operation/(\w+)")
_LABEL = re.compile(r"\\\{(\w+)(\\\+)?\\\}")
_LONGEST_NAME = 128


def asked(environ: Mapping[str, Any]) -> tuple[str, str]:
    """The signing name of the asked service and the operation's name; "" for one that the request does not tell."""
    service = service_of(environ) or ("s3" if protocol_of(environ) is Protocol.S3 else "")
    target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    in_path = _CBOR_PATH.fullmatch(environ.get("PATH_INFO", ""))
    name = target or (in_path[1] if in_path else "") or _action(environ) or _routed(service, environ)
    return service, name[:_LONGEST_NAME]


def operation_of(environ: Mapping[str, Any]) -> str:
    """`service:Operation` as far as the request tells; else its method and path."""
    service, name = asked(environ)
    return f"{service}:{name}" if name else f"{service} {environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def _action(environ: Mapping[str, Any]) -> str:
    """The operation of a query protocol. The gate left the body where it can be read again."""
    if protocol_of(environ) not in (Protocol.QUERY, Protocol.EC2):
        return ""
    stream = environ["wsgi.input"]
    text = environ.get("QUERY_STRING", "")
    if hasattr(stream, "getvalue"):
        text += "&" + stream.getvalue().decode(errors="replace")
    return parse_qs(text).get("Action", [""])[0]


@dataclass(frozen=True)
class _Route:
    """A REST operation: its path, what its query must say, and the members that it needs in query and headers."""

    name: str
    path: re.Pattern[str]
    labels: int
    fixed: Mapping[str, str]
    required: frozenset[str]
    is_deprecated: bool

    def takes(self, path: str, query: Mapping[str, str], subresources: set[str]) -> bool:
        """`subresources`: what of the query is a fixed part of some operation; this one must have all of it."""
        said = all(name in query and value in ("", query[name]) for name, value in self.fixed.items())
        return said and subresources <= self.fixed.keys() and self.path.fullmatch(path) is not None

    def nearness(self, given: set[str]) -> tuple[Any, ...]:
        """Sorts the operation that is meant first: the most exact path, then the query that says most."""
        missing = len(self.required - given)
        return self.labels, -len(self.fixed), missing, -len(self.required), self.is_deprecated, self.name


def _routed(service: str, environ: Mapping[str, Any]) -> str:
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    headers = {name[5:].replace("_", "-").lower() for name in environ if name.startswith("HTTP_")}
    path, routes = _path(service, environ), _routes(service)
    subresources = set(query) & _subresources(service)
    found = [route for route in routes.get(environ["REQUEST_METHOD"], ()) if route.takes(path, query, subresources)]
    given = set(query) | headers
    return min(found, key=lambda route: route.nearness(given)).name if found else ""


def _path(service: str, environ: Mapping[str, Any]) -> str:
    """The path as it was sent, so that a `%2F` in an ARN parts nothing, with the bucket that a host may name instead:
    `bucket.localhost`."""
    sent = environ.get("RAW_URI", "").partition("?")[0]
    path = sent if sent.startswith("/") else environ.get("PATH_INFO", "") or "/"
    host = environ.get("HTTP_HOST", "").partition(":")[0]
    in_host = service == "s3" and host.endswith(".localhost")
    return f"/{host.removesuffix('.localhost')}{path}" if in_host else path


@functools.cache
def _routes(signing_name: str) -> Mapping[str, list[_Route]]:
    """Every REST operation of a service by its method."""
    model = _model(signing_name)
    found: defaultdict[str, list[_Route]] = defaultdict(list)
    for name, operation in model.get("operations", {}).items():
        # A client of S3 takes the bucket out of the paths of the models that it shares with everyone, and puts it here.
        path = operation["http"].get("authPath", operation["http"]["requestUri"])
        uri, _, query = path.partition("?")
        found[operation["http"]["method"]].append(
            _Route(
                name=name,
                path=_pattern(uri),
                labels=uri.count("{"),
                fixed=dict(parse_qsl(query, keep_blank_values=True)),
                required=_required(model, operation),
                is_deprecated=bool(operation.get("deprecated")),
            )
        )
    return found


@functools.cache
def _subresources(signing_name: str) -> frozenset[str]:
    return frozenset(name for routes in _routes(signing_name).values() for route in routes for name in route.fixed)


def _pattern(uri: str) -> re.Pattern[str]:
    text = _LABEL.sub(lambda label: ".+" if label[2] else "[^/]+", re.escape(uri.rstrip("/")))
    return re.compile(text if text.endswith(".+") else f"{text}/?")


def _required(model: Mapping[str, Any], operation: Mapping[str, Any]) -> frozenset[str]:
    """The names, in the query or among the headers, of the members without which there is no such request."""
    shape = model["shapes"].get(operation.get("input", {}).get("shape"), {})
    members = [shape["members"][name] for name in shape.get("required", [])]
    return frozenset(
        member["locationName"] if member["location"] == "querystring" else member["locationName"].lower()
        for member in members
        if member.get("location") in ("querystring", "header")
    )


def _model(signing_name: str) -> Mapping[str, Any]:
    """Empty for a service whose signing name is not its own: to look for it, all models would have to be read."""
    try:
        model: dict[str, Any] = service_models().load_service_model(signing_name, "service-2")
    except UnknownServiceError:
        return {}
    return model
