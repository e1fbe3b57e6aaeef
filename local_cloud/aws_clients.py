"""boto3 clients of the embedded cloud to itself: a service reaches another only through its public API."""

from __future__ import annotations

import functools
import secrets
import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.model import ServiceModel

from local_cloud import intents, settings
from local_cloud.authorization.sessions import Session

_lock = threading.Lock()
INTERNAL_MARK = f"local-cloud/{secrets.token_hex(16)}"
"""In the User-Agent of every request that this process sends to itself, so that chaos can leave those alone."""
_CONFIG = Config(
    user_agent_extra=INTERNAL_MARK,
    retries={"max_attempts": 1},
    connect_timeout=5,
    read_timeout=900,
    max_pool_connections=50,
    parameter_validation=True,
    inject_host_prefix=False,
    s3={"addressing_style": "path"},
    # Else S3's answers have checksums that nobody asked for, which end up in the output of a Task.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    # Else HTTP_PROXY of whoever started this cloud would carry its requests to itself.
    proxies={},
)


def client(service: str, region: str | None = None, account: str | None = None, session: Session | None = None) -> Any:
    """The boto3 client of `service` in a Region and account of this cloud, by default its own.

    It speaks for a session, a role's or a service's, where there is one; else for the account itself.
    """
    cloud = settings.current()
    with _lock:
        own = session.account if session else cloud.account_id
        return _client(service, region or cloud.region, account or own, session, cloud)


@functools.lru_cache(maxsize=1_024)
def _client(service: str, region: str, account: str, session: Session | None, cloud: settings.CloudSettings) -> Any:
    make: Any = own_session().client
    key = cloud.lent_key(session, account) if session else cloud.access_key(account)
    made = make(
        service,
        region_name=region,
        endpoint_url=cloud.endpoint,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        # An account's own clients send none: they are what its owner has, not what somebody was lent.
        aws_session_token=key.session_token if session else None,
        config=_CONFIG,
    )
    made.meta.events.register("before-call", intents.send)
    return made


@functools.cache
def service_models() -> Loader:
    """The one reader of botocore's service models in this process; each is a file of up to megabytes."""
    return create_loader()


@functools.cache
def service_model(service: str) -> ServiceModel:
    """A service's operations and shapes. Raises: botocore.exceptions.UnknownServiceError."""
    return ServiceModel(service_models().load_service_model(service, "service-2"), service)


def read_models_once() -> None:
    """Let every boto3 session of this process, also those that moto and SAM's translator make, read with one loader.

    To be called before moto is imported, which reads EC2's model three times then.
    """
    botocore.session.create_loader = lambda _search_path=None: service_models()  # type: ignore[assignment]


@functools.cache
def own_session() -> boto3.session.Session:
    """The one boto3 session of this process, which reads each service model once."""
    underlying = botocore.session.get_session()
    underlying.register_component("data_loader", service_models())
    return boto3.session.Session(botocore_session=underlying)
