"""The process in which a Lambda function runs: import the handler once, then answer until stdin ends.

Started as `python -I -S -u bootstrap.py FOLDER… -- SITE_PACKAGES… -- RESPONSE_FD`, so that it sees the
standard library, the function, its layers and third-party packages only: it must not import this project.
Requests come on stdin and replies go to RESPONSE_FD, each as four bytes of length and JSON.
Source: https://github.com/aws/aws-lambda-python-runtime-interface-client
"""

import importlib
import json
import logging
import os
import resource
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO


class Context:
    """What a handler gets as its second argument.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    client_context = None
    identity = None
    tenant_id = None

    def __init__(self, request: dict[str, Any]) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.aws_request_id = request["request_id"]
        self.invoked_function_arn = request["function_arn"]
        self._deadline_s = request["deadline_s"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline_s - time.time()) * 1000))

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class RequestIdFormatter(logging.Formatter):
    """Lambda's own log line, text or JSON; the request id changes with every request."""

    request_id = ""

    def format(self, record: logging.LogRecord) -> str:
        record.aws_request_id = self.request_id
        if os.environ["AWS_LAMBDA_LOG_FORMAT"] != "JSON":
            return super().format(record)
        shown: dict[str, Any] = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        if record.exc_info:
            shown["stackTrace"] = self.formatException(record.exc_info).splitlines()
        return json.dumps(shown)


def read_exactly(stream: BinaryIO, size: int) -> bytes | None:
    chunk = stream.read(size)
    return chunk if len(chunk) == size else None


def peak_memory_kib() -> int:
    """Linux counts the parent's memory into ru_maxrss of what it started; VmHWM begins with this program."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123  pathlib costs 10 ms of every cold start
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reply(stream: BinaryIO, message: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    message["max_rss_kib"] = peak_memory_kib()
    body = json.dumps(message).encode()
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def described(error: BaseException, skipped_frames: int) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[skipped_frames:]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_list(frames),
    }


def load(handler: str) -> tuple[Callable[..., Any] | None, dict[str, Any] | None]:
    """The handler function, or what is wrong with it."""
    module_name, _, function_name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        failure = described(error, 1)
        failure["errorType"] = "Runtime.ImportModuleError"
        failure["errorMessage"] = f"Unable to import module '{module_name}': {error}"
        return None, failure
    except SyntaxError as error:
        failure = described(error, 1)
        failure["errorType"] = "Runtime.UserCodeSyntaxError"
        failure["errorMessage"] = f"Syntax error in module '{module_name}': {error}"
        return None, failure
    except Exception as error:  # noqa: BLE001  whatever the function's module raises is its answer
        return None, described(error, 1)
    if not hasattr(module, function_name):
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        return None, {"errorType": "Runtime.HandlerNotFound", "errorMessage": message, "stackTrace": []}
    return getattr(module, function_name), None


def print_failure(failure: dict[str, Any]) -> None:
    """What the function's log says of its error."""
    if os.environ["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(json.dumps({"timestamp": timestamp, "log_level": "ERROR", **failure}))
        return
    print(f"[ERROR] {failure['errorType']}: {failure['errorMessage']}")
    print("Traceback (most recent call last):\n" + "".join(failure["stackTrace"]), end="")


def marshalled(value: Any) -> Any:
    """What Lambda's own encoder makes of values that JSON lacks. Raises: TypeError for all others.

    Source: https://github.com/aws/aws-lambda-python-runtime-interface-client (it encodes with simplejson)
    """
    if isinstance(value, bytes):
        return value.decode()
    if type(value).__module__ == "decimal":  # importing it would cost every function's start
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def answer(handler: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
    """Call the handler: `{"ok": <JSON text>}` or `{"error": {…}}`."""
    os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
    try:
        result = handler(json.loads(request["event"]), Context(request))
    except Exception as error:  # noqa: BLE001  whatever the handler raises is its answer
        failure = described(error, 1)
        failure["requestId"] = request["request_id"]
        print_failure(failure)
        return {"error": failure}
    try:
        return {"ok": json.dumps(result, ensure_ascii=False, default=marshalled)}
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return {"error": {"errorType": "Runtime.MarshalError", "errorMessage": message, "stackTrace": []}}


def set_up_logging() -> RequestIdFormatter:
    formatter = RequestIdFormatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    return formatter


def main(arguments: list[str]) -> None:
    code, site_packages, (response_fd,) = split(arguments)
    sys.path[:0] = code
    sys.path.extend(site_packages)
    # A child of the handler must not hold the pipe open after the handler has ended.
    os.set_inheritable(int(response_fd), False)
    requests, responses = os.fdopen(os.dup(0), "rb"), os.fdopen(int(response_fd), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    formatter = set_up_logging()
    handler, failure = load(os.environ["_HANDLER"])
    reply(responses, {"error": failure} if failure else {"ready": True})
    while handler is not None:
        head = read_exactly(requests, 4)
        body = read_exactly(requests, struct.unpack(">I", head)[0]) if head else None
        if body is None:
            break
        request = json.loads(body)
        formatter.request_id = request["request_id"]
        reply(responses, answer(handler, request))
    # Like a frozen environment that is thrown away: no exit handlers, no waiting for the handler's threads.
    os._exit(0)


def split(arguments: list[str]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    for argument in arguments:
        if argument == "--":
            groups.append([])
        else:
            groups[-1].append(argument)
    return groups


main(sys.argv[1:])
