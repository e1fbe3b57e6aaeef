"""Wait states: how long, to the millisecond, and until a stop.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html
"""

from __future__ import annotations

import datetime
from typing import Any

from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, timestamps, waiting


def _wait_interval(self: Any, env: Any, wait_seconds: float) -> None:  # noqa: ARG001  moto's signature
    if wait_seconds > 0:
        waiting.interrupted(env).wait(wait_seconds)


def _seconds_until(text: str) -> float | None:
    moment = timestamps.parse(text)
    return None if moment is None else (moment - datetime.datetime.now(datetime.UTC)).total_seconds()


def _timestamp_seconds(self: Any, env: Any) -> float:
    self.string.eval(env=env)
    text = env.stack.pop()
    seconds = _seconds_until(text)
    if seconds is not None:
        return seconds
    raise failures.evaluation_error(
        env,
        f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}",
        "Timestamp",
    )


def _timestamp_path_seconds(self: Any, env: Any) -> float:
    try:
        self.string.eval(env=env)
    except NoSuchJsonPathError as error:
        cause = f"The TimestampPath parameter does not reference an input value: {error.json_path}"
        raise failures.runtime_error(env, cause) from error
    text = env.stack.pop()
    seconds = _seconds_until(text)
    if seconds is not None:
        return seconds
    raise failures.runtime_error(
        env,
        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: "
        f"{self.string.literal_value} == {text}",
    )


_FUNCTIONS = "moto.stepfunctions.parser.asl.component.state.wait.wait_function"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_FUNCTIONS}.wait_function:WaitFunction._wait_interval",
        build=lambda _: _wait_interval,
        why="misses a stop between two looks, and waits whole seconds",
    ),
    Replacement(
        target=f"{_FUNCTIONS}.timestamp:Timestamp._from_timestamp_string",
        build=lambda _: staticmethod(timestamps.parse),
        why="no offsets",
    ),
    Replacement(
        target=f"{_FUNCTIONS}.timestamp:Timestamp._get_wait_seconds",
        build=lambda _: _timestamp_seconds,
        why="compares UTC with local time; a malformed expression's value is States.Runtime",
    ),
    Replacement(
        target=f"{_FUNCTIONS}.timestamp:TimestampPath._get_wait_seconds",
        build=lambda _: _timestamp_path_seconds,
        why="compares UTC with local time",
    ),
]
