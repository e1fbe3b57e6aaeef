"""Lambda: handlers run in real subprocesses that see their zip, their layers and third-party packages only.

Every `python3.*` runtime runs on this cloud's interpreter, whose own compiled packages stand in for those of an archive
that was built for another one; other runtimes and image functions are refused.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.awslambda.utils import get_backend

from local_cloud import settings
from local_cloud.accounts import AccessKey
from local_cloud.authorization import handover
from local_cloud.authorization.access import Access
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.authorization.handover import Taker
from local_cloud.lambda_runtime import asynchronous, code, platform_log
from local_cloud.lambda_runtime.environment import Environment, ExitedError, Launch, Reply, TimedOutError
from local_cloud.lambda_runtime.platform_log import Report
from local_cloud.lambda_runtime.pool import Pool, Warm
from local_cloud.lambda_runtime.stand_ins import NoStandInError
from local_cloud.processes import base_environment
from local_cloud.replacements import Replacement

_LOG = logging.getLogger("local_cloud.lambda")
_LOG_TAIL_BYTES = 4096
_KEPT = ("DeadLetterConfig", "LoggingConfig")
"""Settings that moto drops from a function, and that matter here."""

_pool = Pool()
_running: dict[str, int] = {}
_running_lock = threading.Lock()


class TooManyRequestsError(LambdaClientError):
    """The function's reserved concurrency is in use."""

    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class RoleNotAssumableError(LambdaClientError):
    """The function's role does not trust Lambda."""

    code = 403

    def __init__(self, why: str) -> None:
        super().__init__(
            "AccessDeniedException", f"The role defined for the function cannot be assumed by Lambda. ({why})"
        )


class CannotRunHereError(LambdaClientError):
    """The function's archives hold code for another machine that nothing here can stand in for."""

    code = 502

    def __init__(self, why: str) -> None:
        super().__init__("InvalidZipFileException", why)


def stop() -> None:
    """Close the warm environments."""
    _pool.drop_all()


def run(function: LambdaFunction, event: str) -> tuple[Reply, str]:
    """Run a function once: its reply and the last lines of its log.

    Raises: TooManyRequestsError, RoleNotAssumableError.
    """
    limit = function.reserved_concurrency
    with _running_lock:
        if limit is not None and _running.get(function.function_arn, 0) >= int(limit):
            raise TooManyRequestsError
        _running[function.function_arn] = _running.get(function.function_arn, 0) + 1
    try:
        return _Invocation(function).run(event)
    finally:
        with _running_lock:
            _running[function.function_arn] -= 1


class _Invocation:
    """One request: finds or starts an environment, and writes START, END and REPORT around its lines."""

    def __init__(self, function: LambdaFunction) -> None:
        self.function = function
        self.request_id = str(uuid.uuid4())
        self.lines: list[str] = []
        self.group = _log_group(function)
        self.stream = ""
        self.as_json = platform_log.is_json(function.logging_config)
        self.logs = True

    def run(self, event: str) -> tuple[Reply, str]:
        warm = _pool.take(_version_of(self.function))
        init_s = None
        if warm is None:
            started = time.monotonic()
            warm, failure = self._start()
            init_s = time.monotonic() - started
            if failure is not None:
                warm.environment.close()
                return failure, "\n".join(self.lines)
        self.stream = warm.log_stream
        self._log(platform_log.start(self.request_id, str(self.function.version), as_json=self.as_json))
        started = time.monotonic()
        reply, reusable = self._ask(warm, event)
        self._report(time.monotonic() - started, init_s, reply)
        if reusable:
            _pool.give_back(warm)
        else:
            warm.environment.close()
        return reply, "\n".join(self.lines)

    def _start(self) -> tuple[Warm, Reply | None]:
        self.stream = f"{datetime.datetime.now(datetime.UTC):%Y/%m/%d}/[{self.function.version}]{uuid.uuid4().hex}"
        if self._may_log("CreateLogStream"):
            self.function.logs_backend.ensure_log_group(self.group)
            self.function.logs_backend.create_log_stream(self.group, self.stream)
        try:
            launch = _launch(self.function, self.stream)
        except DeniedError as error:
            raise RoleNotAssumableError(str(error)) from error
        except NoStandInError as error:
            raise CannotRunHereError(f"{self.function.function_name}: {error}") from error
        warm = Warm(_version_of(self.function), Environment(launch), self.stream)
        try:
            failure = warm.environment.wait_ready(self._log)
        except ExitedError as error:
            failure = self._failure("Runtime.ExitError", f"Runtime exited with error: {error}")
        except TimedOutError:
            failure = self._failure("Sandbox.Timedout", "the import of the handler took too long")
        if failure is not None:
            self._log([f"[ERROR] {failure.payload}"])
        return warm, failure

    def _ask(self, warm: Warm, event: str) -> tuple[Reply, bool]:
        timeout_s = float(self.function.timeout)
        request = {
            "event": event,
            "request_id": self.request_id,
            "function_arn": self.function.function_arn,
            "deadline_s": time.time() + timeout_s,
            "trace_id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        try:
            return warm.environment.invoke(request, timeout_s, self._log), True
        except TimedOutError:
            message = f"Task timed out after {timeout_s:.2f} seconds"
            self._log(platform_log.failure(self.request_id, message, as_json=self.as_json))
            return self._failure("Sandbox.Timedout", message), False
        except ExitedError as error:
            message = f"Runtime exited with error: {error}"
            self._log(platform_log.failure(self.request_id, message, as_json=self.as_json))
            return self._failure("Runtime.ExitError", message), False

    def _failure(self, error_type: str, message: str) -> Reply:
        text = f"RequestId: {self.request_id} Error: {message}"
        return Reply(json.dumps({"errorType": error_type, "errorMessage": text}), failed=True, max_rss_kib=0)

    def _report(self, duration_s: float, init_s: float | None, reply: Reply) -> None:
        status = "error" if reply.failed else "success"
        report = Report(duration_s, init_s, int(self.function.memory_size), reply.max_rss_kib, status)
        self._log(platform_log.end(self.request_id, report, as_json=self.as_json))

    def _log(self, lines: list[str]) -> None:
        self.lines += lines
        if not self._may_log("PutLogEvents"):
            return
        timestamp = int(time.time() * 1000)
        self.function.logs_backend.ensure_log_group(self.group)
        events = [{"timestamp": timestamp, "message": line} for line in lines]
        self.function.logs_backend.put_log_events(self.group, self.stream, events)

    def _may_log(self, action: str) -> bool:
        """Whether the role may write its log; else the function runs, as on AWS, and its lines are lost."""
        function = self.function
        stream = f"log-group:{self.group}:log-stream:{self.stream}"
        arn = f"arn:aws:logs:{function.region}:{function.account_id}:{stream}"
        may = handover.may(str(function.role), function.function_name, Access(f"logs:{action}", arn))
        self.logs = self.logs and may
        return self.logs


def _launch(function: LambdaFunction, log_stream: str) -> Launch:
    cloud = settings.current()
    store = cloud.state_dir / "lambda"
    backend = get_backend(function.account_id, function.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    task_root = code.extract([function.code_bytes], store / "code")
    layers_root = code.extract([layer.code_bytes for layer in layers], store / "layers") if layers else None
    bootstrap = code.copy_bootstrap(store / "runtime")
    scratch = store / "environments" / uuid.uuid4().hex
    paths = code.import_paths(task_root, layers_root)
    return Launch(
        bootstrap=bootstrap,
        code=tuple(paths),
        site_packages=tuple(code.third_party_paths(paths, store / "packages")),
        task_root=task_root,
        variables=_variables(function, task_root, bootstrap.parent, scratch, log_stream),
        scratch=scratch,
    )


def _variables(
    function: LambdaFunction, task_root: Path, runtime_dir: Path, scratch: Path, log_stream: str
) -> Mapping[str, str]:
    """The environment of the process.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    key = _lent_key(function)
    return {
        **base_environment(),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "TZ": ":UTC",
        "_HANDLER": str(function.handler),
        "_X_AMZN_TRACE_ID": "Root=1-00000000-000000000000000000000000;Sampled=0",
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_SESSION_TOKEN": key.session_token,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ENDPOINT_URL": settings.current().endpoint,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON" if platform_log.is_json(function.logging_config) else "Text",
        "AWS_LAMBDA_LOG_GROUP_NAME": _log_group(function),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        **{name: str(value) for name, value in (function.environment_vars or {}).items()},
    }


def _lent_key(function: LambdaFunction) -> AccessKey:
    """The key of the function's role. Raises: DeniedError in strict mode when the role does not trust Lambda."""
    taker = Taker("lambda.amazonaws.com", function.account_id, function.function_arn)
    return handover.key(str(function.role), function.function_name, taker)


def _log_group(function: LambdaFunction) -> str:
    return str((function.logging_config or {}).get("LogGroup") or f"/aws/lambda/{function.function_name}")


def _version_of(function: LambdaFunction) -> str:
    """What an environment may be reused for: the same code, layers and settings."""
    parts = [
        function.function_arn,
        function.code_sha_256,
        [layer["Arn"] for layer in function.layers],
        function.handler,
        str(function.role),
        function.environment_vars,
        function.memory_size,
        function.logging_config,
        str(function.version),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _invoke(_: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(
        self: LambdaFunction,
        body: str | bytes,
        request_headers: Mapping[str, str],
        response_headers: dict[str, str],
    ) -> bytes:
        event = (body.decode() if isinstance(body, bytes) else body) or "{}"
        try:
            json.loads(event)
        except ValueError as error:
            raise LambdaClientError(
                "InvalidRequestContentException", f"Could not parse request body: {error}"
            ) from error
        kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
        response_headers["x-amz-executed-version"] = str(self.version)
        if kind == "DryRun":
            return b""
        if kind == "Event":
            asynchronous.submit(self, event, run)
            return b""
        reply, log = run(self, event)
        if reply.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-log-result"] = base64.b64encode(log.encode()[-_LOG_TAIL_BYTES:]).decode()
        return reply.payload.encode()

    return invoke


def _init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(  # noqa: N807
        self: LambdaFunction, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        _refuse_what_cannot_run(spec)
        self.dead_letter_config = spec.get("DeadLetterConfig")
        self.logging_config = spec.get("LoggingConfig")
        original(self, account_id, spec, *args, **kwargs)

    return __init__


def _refuse_what_cannot_run(spec: Mapping[str, Any]) -> None:
    if spec.get("PackageType", "Zip") != "Zip":
        raise InvalidParameterValueException("Lambda PackageType Image is not emulated")
    if not re.fullmatch(r"python3\.\d+", spec.get("Runtime") or ""):
        raise InvalidParameterValueException(f"Lambda Runtime {spec.get('Runtime')} is not emulated, only python3.*")
    for name in ("FileSystemConfigs", "SnapStart"):
        if spec.get(name) and spec[name] != {"ApplyOn": "None"}:
            raise InvalidParameterValueException(f"Lambda {name} is not emulated")


def _get_configuration(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def get_configuration(self: LambdaFunction, on_create: bool = False) -> dict[str, Any]:
        configuration = original(self, on_create)
        if self.dead_letter_config:
            configuration["DeadLetterConfig"] = self.dead_letter_config
        configuration["LoggingConfig"] = {
            "LogFormat": "Text",
            **(self.logging_config or {}),
            "LogGroup": _log_group(self),
        }
        return configuration

    return get_configuration


def _update_configuration(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def update_configuration(self: LambdaFunction, config_updates: dict[str, Any]) -> dict[str, Any]:
        _refuse_what_cannot_run({"Runtime": self.run_time, **config_updates})
        self.dead_letter_config = config_updates.get("DeadLetterConfig", self.dead_letter_config)
        self.logging_config = config_updates.get("LoggingConfig", self.logging_config)
        self.tracing_config = config_updates.get("TracingConfig", self.tracing_config)
        if "EphemeralStorage" in config_updates:
            self.ephemeral_storage = config_updates["EphemeralStorage"]["Size"]
        return original(self, config_updates)

    return update_configuration


def _put_event_invoke_config(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def put_function_event_invoke_config(self: Any, function_name: str, config: dict[str, Any]) -> dict[str, Any]:
        self.get_function(function_name).event_invoke_config.clear()
        return original(self, function_name, config)

    return put_function_event_invoke_config


_MODEL = "moto.awslambda.models:LambdaFunction"
REPLACEMENTS: list[Replacement] = [
    Replacement(target=f"{_MODEL}.invoke", build=_invoke, why="moto runs handlers in Docker, and never later"),
    Replacement(target=f"{_MODEL}.__init__", build=_init, why="moto drops the dead-letter queue and the log group"),
    Replacement(target=f"{_MODEL}.get_configuration", build=_get_configuration, why="shows what __init__ keeps"),
    Replacement(
        target=f"{_MODEL}.update_configuration",
        build=_update_configuration,
        why="moto drops four settings on update",
    ),
    Replacement(
        target="moto.awslambda.models:LambdaBackend.put_function_event_invoke_config",
        build=_put_event_invoke_config,
        why="moto appends a second configuration and goes on reading the first",
    ),
]

KEPT = {"lambda": (asynchronous.accepted, asynchronous.restore)}
"""Events that were accepted and not had yet."""


def resume() -> None:
    """Run what was accepted before the cloud was killed."""
    asynchronous.resume(_function_of, run)


def _function_of(accepted: asynchronous.Accepted) -> LambdaFunction | None:
    backend = lambda_backends[accepted.account][accepted.region]
    try:
        found: LambdaFunction = backend.get_function(accepted.function_arn)
    except LambdaClientError:
        return None
    return found
