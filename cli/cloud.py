"""One session with whatever the standard AWS variables point at, and the outputs of its stack.

Nothing here knows an endpoint, an account or a Region: they come from the environment, or from the caller.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from cli import exit_codes
from cli.errors import CommandError

DEFAULT_STACK = "turbine"
STACK_VARIABLE = "TURBINE_STACK"
NO_STACK_HINT = (
    'eval "$(turbine local env)"  (a running embedded cloud), `turbine local up` (start one), or `sam deploy` (AWS)'
)
_POOL = 24


@dataclass(frozen=True)
class ExplicitCredentials:
    """Where and as whom to talk when the caller's environment must not matter."""

    endpoint_url: str
    region: str
    access_key_id: str
    secret_access_key: str


class Cloud:
    """Clients for one account and Region, made when first used, and the stack's outputs."""

    def __init__(self, session: boto3.Session, stack: str, *, endpoint_url: str | None, config: Config) -> None:
        self.session: Any = session
        self.stack = stack
        self._endpoint_url = endpoint_url
        self._config = config
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, stack: str | None = None) -> Cloud:
        """What the standard AWS variables, profiles and files say."""
        config = Config(max_pool_connections=_POOL, retries={"mode": "standard", "max_attempts": 5})
        return cls(boto3.Session(), stack or default_stack(), endpoint_url=None, config=config)

    @classmethod
    def explicit(cls, credentials: ExplicitCredentials, stack: str) -> Cloud:
        """A session that reads neither AWS variables, nor profiles, nor files of the caller."""
        session = boto3.Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            region_name=credentials.region,
            botocore_session=_isolated_session(),
        )
        config = Config(
            max_pool_connections=_POOL,
            retries={"mode": "standard", "max_attempts": 2},
            read_timeout=300,
            proxies={},
            use_dualstack_endpoint=False,
            use_fips_endpoint=False,
            s3={"addressing_style": "path"},
        )
        return cls(session, stack, endpoint_url=credentials.endpoint_url, config=config)

    def client(self, service: str) -> Any:
        """The client of one service; clients are safe to share between threads.

        Raises: CommandError if the AWS variables make none.
        """
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        try:
            return self.session.client(service, endpoint_url=self._endpoint_url, config=self._config)
        except ValueError as error:  # botocore's own for an address that is none
            raise CommandError(
                f"no client of {service} can be made: {error}",
                place="AWS_ENDPOINT_URL and the other AWS variables and files",
                next_step=NO_STACK_HINT,
                exit_code=exit_codes.NO_STACK,
            ) from error

    @cached_property
    def region(self) -> str:
        """The Region of the session.

        Raises: CommandError without one.
        """
        region = self.session.region_name
        if not region:
            raise CommandError(
                "no AWS Region is set",
                place="AWS_REGION, AWS_DEFAULT_REGION",
                next_step=NO_STACK_HINT,
                exit_code=exit_codes.NO_STACK,
            )
        return region

    @cached_property
    def description(self) -> dict[str, Any]:
        """The stack as CloudFormation describes it.

        Raises: CommandError if there is no such stack.
        """
        try:
            stacks = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise CommandError(
                f"there is no stack named {self.stack!r} where the AWS variables point",
                place=f"{self.client('cloudformation').meta.endpoint_url}, Region {self.region}",
                next_step=NO_STACK_HINT,
                exit_code=exit_codes.NO_STACK,
            ) from error
        return stacks[0]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        return {item["OutputKey"]: item["OutputValue"] for item in self.description.get("Outputs", [])}

    def output(self, name: str) -> str:
        """One output.

        Raises: CommandError if the deployed stack is older than this command.
        """
        try:
            return self.outputs[name]
        except KeyError as error:
            raise CommandError(
                f"the stack {self.stack!r} has no output {name!r}",
                place="its template is not the one this command was written for",
                next_step="`turbine local up` (embedded cloud) or `sam deploy` (AWS), then try again",
                exit_code=exit_codes.NO_STACK,
            ) from error

    def forget_description(self) -> None:
        """Read the stack again at the next use, after it was changed."""
        for name in ("description", "outputs"):
            self.__dict__.pop(name, None)


def default_stack() -> str:
    """The stack's name when the command line gives none."""
    return os.environ.get(STACK_VARIABLE) or DEFAULT_STACK


def _isolated_session() -> botocore.session.Session:
    """A botocore session whose profile and files come from nowhere, so an AWS_PROFILE cannot break it."""
    return botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
