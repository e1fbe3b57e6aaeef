"""boto3 clients of the embedded cloud to itself: a service reaches another only through its public API."""

from __future__ import annotations

import functools
import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.model import ServiceModel

from local_cloud import settings
from local_cloud.accounts import access_key_id

_lock = threading.Lock()
_CONFIG = Config(
    retries={"max_attempts": 1},
    connect_timeout=5,
    read_timeout=900,
    max_pool_connections=50,
    parameter_validation=True,
    inject_host_prefix=False,
    s3={"addressing_style": "path"},
    # Else HTTP_PROXY of whoever started this cloud would carry its requests to itself.
    proxies={},
)


def client(service: str, region: str | None = None, account: str | None = None) -> Any:
    """The boto3 client of `service` in a Region and account of this cloud, by default its own."""
    cloud = settings.current()
    with _lock:
        return _client(service, region or cloud.region, account or cloud.account_id, cloud)


@functools.lru_cache(maxsize=256)
def _client(service: str, region: str, account: str, cloud: settings.CloudSettings) -> Any:
    make: Any = _session().client
    return make(
        service,
        region_name=region,
        endpoint_url=cloud.endpoint,
        aws_access_key_id=access_key_id(account),
        aws_secret_access_key=cloud.secret_access_key,
        config=_CONFIG,
    )


@functools.cache
def service_models() -> Loader:
    """The one reader of botocore's service models in this process; each is a file of up to megabytes."""
    return create_loader()


@functools.cache
def service_model(service: str) -> ServiceModel:
    """A service's operations and shapes. Raises: botocore.exceptions.UnknownServiceError."""
    return ServiceModel(service_models().load_service_model(service, "service-2"), service)


@functools.cache
def _session() -> boto3.session.Session:
    session = botocore.session.get_session()
    session.register_component("data_loader", service_models())
    return boto3.session.Session(botocore_session=session)
