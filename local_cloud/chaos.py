"""Chaos mode: faults on purpose, each from a seed and each with one line in the log. Off unless asked for.

Calls are throttled, or fail before or after they took effect; so do the calls that Step Functions' Tasks make; events
are duplicated, delayed and reordered. The n-th call, the n-th Task's call and the n-th delivery of a seed always meet
the same fate. The cloud's other own calls are left alone unless the option `internal` is given: so is the looking of a
`.sync` Task after its job, which AWS does not let a Task feel.

`SEED[:options]`, options with commas: `throttle=`, `fail_before=`, `fail_after=`, the same of Tasks with `task_` before
it, `duplicate=`, `delay=`, `reorder=` (shares from 0 to 1), `max_delay_s=`, and `internal`. A seed alone takes
`DEFAULTS`; with options, what is not named is off.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html (what SDKs take for throttling). A
Task gets each fault at once: how often Step Functions calls again by itself is not documented.
"""

from __future__ import annotations

import dataclasses
import logging
import random
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from local_cloud import aws_clients, chaos_errors, intents
from local_cloud.gatekeeper import WsgiApplication

VARIABLE = "TURBINE_LOCAL_CHAOS"
REORDER_WINDOW_S = 1.0
"""A delivery that is to be overtaken waits so long: what is accepted meanwhile goes first."""
_LOG = logging.getLogger("local_cloud.chaos")
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_SKIPPED_BYTES = 65_536


class ChaosOptionError(ValueError):
    """A chaos option that is none."""


@dataclass(frozen=True)
class Options:
    """How often what happens: shares of calls (`throttle`, `fail_before`, `fail_after`), Tasks' ones, deliveries."""

    seed: str
    throttle: float = 0.0
    fail_before: float = 0.0
    fail_after: float = 0.0
    task_throttle: float = 0.0
    task_fail_before: float = 0.0
    task_fail_after: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    max_delay_s: float = 2.0
    internal: bool = False


DEFAULTS = {
    "throttle": 0.02,
    "fail_before": 0.01,
    "fail_after": 0.01,
    "task_throttle": 0.02,
    "task_fail_before": 0.01,
    "task_fail_after": 0.01,
    "duplicate": 0.1,
    "delay": 0.1,
    "reorder": 0.1,
}
_SHARES = tuple(DEFAULTS)
_KINDS = ("throttle", "fail_before", "fail_after")
_TASK = re.compile(r"arn:[a-z-]+:states:[^:]+:\d+:execution:")
"""Begins the intents of Tasks."""


def parse(text: str) -> Options:
    """Raises: ChaosOptionError naming the option."""
    seed, colon, rest = text.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", seed):
        raise ChaosOptionError(f"{text!r}: give SEED[:options], a seed of letters and digits first")
    if not colon:
        return Options(seed, **DEFAULTS)  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for option in rest.split(","):
        name, equals, value = option.strip().partition("=")
        given[name] = _value(name, equals, value)
    options = Options(seed, **given)
    for whose in ("", "task_"):
        names = [whose + kind for kind in _KINDS]
        if sum(getattr(options, name) for name in names) > 1:
            raise ChaosOptionError(f"{names[0]}, {names[1]} and {names[2]} are more than 1 together")
    return options


def _value(name: str, equals: str, value: str) -> float | bool:
    if name == "internal" and not equals:
        return True
    if name not in (*_SHARES, "max_delay_s"):
        raise ChaosOptionError(f"{name!r} is no option: {', '.join(_SHARES)}, max_delay_s and internal are")
    try:
        number = float(value)
    except ValueError as error:
        raise ChaosOptionError(f"{name}={value} is no number") from error
    if not 0 <= number <= (1 if name in _SHARES else 3_600):
        raise ChaosOptionError(f"{name}={value} is out of range")
    return number


@dataclass(frozen=True)
class Fault:
    """What happens to a call: `kind` is throttle, fail_before or fail_after, `status` 500 or 503 for failures."""

    kind: str
    status: int


class Chaos:
    """The dice of one seed: one sequence for calls, one for those of Tasks, one for deliveries."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._calls = random.Random(f"{options.seed}:calls")  # noqa: S311  chance that can be repeated is the point
        self._tasks = random.Random(f"{options.seed}:tasks")  # noqa: S311
        self._events = random.Random(f"{options.seed}:events")  # noqa: S311
        self._lock = threading.Lock()

    def call_fault(self) -> Fault | None:
        """The fate of the next call; None lets it pass."""
        return self._fault(self._calls, "")

    def task_fault(self) -> Fault | None:
        """The fate of the next call that a Task makes; None lets it pass."""
        return self._fault(self._tasks, "task_")

    def _fault(self, sequence: random.Random, whose: str) -> Fault | None:
        with self._lock:
            dice, status = sequence.random(), sequence.choice((500, 503))
        for kind in _KINDS:
            share = getattr(self.options, whose + kind)
            if dice < share:
                return Fault(kind, status)
            dice -= share
        return None

    def event_delays_s(self, event_id: str, target: str) -> list[float]:
        """When the next delivery goes out, from now, once for each time it is sent: two of them for a duplicate."""
        with self._lock:
            doubled, delayed, overtaken, second = (self._events.random() for _ in range(4))
            delay_s, later_s = (self._events.uniform(0, self.options.max_delay_s) for _ in range(2))
        first_s = 0.0
        if delayed < self.options.delay:
            first_s = delay_s
            _LOG.warning("chaos: event %s to %s is delayed by %.2f s", event_id, target, delay_s)
        elif overtaken < self.options.reorder:
            first_s = REORDER_WINDOW_S
            _LOG.warning("chaos: event %s to %s is held until later ones overtook it", event_id, target)
        if doubled >= self.options.duplicate:
            return [first_s]
        _LOG.warning("chaos: event %s to %s is sent twice", event_id, target)
        return [first_s, later_s if second < 0.5 else 0.0]


_current: Chaos | None = None


def use(options: Options | None) -> None:
    """Switch chaos on, or off with None."""
    global _current
    _current = Chaos(options) if options else None


def current() -> Chaos | None:
    """The chaos of this process; None when it is off."""
    return _current


def disturbed(application: WsgiApplication) -> WsgiApplication:
    """`application`, some of whose calls fail while chaos is on."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        service = _service(environ)
        chaos = _current
        fault = _fate(chaos, environ) if chaos and service else None
        if fault is None or service is None:
            return application(environ, start_response)
        _LOG.warning("chaos: %s on %s %s", fault.kind, service, _operation(environ))
        if fault.kind == "fail_after":
            _carry_out(application, environ)
        else:
            _skip_body(environ)
        reply = chaos_errors.reply(service, environ, None if fault.kind == "throttle" else fault.status)
        start_response(reply.status, reply.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    return answer


def _fate(chaos: Chaos, environ: dict[str, Any]) -> Fault | None:
    if not _is_internal(environ):
        return chaos.call_fault()
    if _TASK.match(intents.of_request(environ) or ""):
        return chaos.task_fault()
    return chaos.call_fault() if chaos.options.internal else None


def _service(environ: dict[str, Any]) -> str | None:
    match = _SERVICE.search(environ.get("HTTP_AUTHORIZATION") or "")
    return match[1] if match and chaos_errors.can_answer(match[1], environ) else None


def _is_internal(environ: dict[str, Any]) -> bool:
    return aws_clients.INTERNAL_MARK in (environ.get("HTTP_USER_AGENT") or "")


def _operation(environ: dict[str, Any]) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET")
    return target.rsplit(".", 1)[-1] if target else f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def _carry_out(application: WsgiApplication, environ: dict[str, Any]) -> None:
    """Let a call take effect, and its answer get lost."""
    answer = application(environ, lambda *_: lambda _: None)
    try:
        for _ in answer:
            pass
    finally:
        if hasattr(answer, "close"):
            answer.close()


def _skip_body(environ: dict[str, Any]) -> None:
    """Read a request's body away, so that it is not taken for the next request."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0 and (read := environ["wsgi.input"].read(min(left, _SKIPPED_BYTES))):
        left -= len(read)


def describe(options: Options) -> str:
    """One line for the log."""
    shown = {name: value for name, value in dataclasses.asdict(options).items() if value and name != "seed"}
    return f"chaos is on, seed {options.seed}: " + ", ".join(f"{name}={value}" for name, value in shown.items())
