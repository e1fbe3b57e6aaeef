"""The order to stop, as one flag: SIGTERM, or EC2's notice that it reclaims the Spot instance.

The order becomes RunInterruptedError in the main thread at once, except inside `deferred()`: there only the flag is
set, for a training loop that first writes its checkpoint. Whoever leaves `deferred()` with the flag set gets the
error then. A second order changes nothing.
"""

import http.client
import json
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from training.errors import RunInterruptedError

ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"
DEFAULT_ENDPOINT = "http://169.254.169.254"
ASK_EVERY_S = 5.0  # as AWS advises; the notice comes two minutes ahead
ANSWER_WITHIN_S = 2.0
TRIES = 3  # without any answer, and then this host is taken to be none of EC2's
TOKEN_TTL_S = 21_600

SIGTERM_REASON = "SIGTERM: the job is asked to stop"


class Interruption:
    """Whether, and why, this process is asked to stop."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._notice: str | None = None
        self._deferred = 0

    @contextmanager
    def watch(self, spot_notice: bool = True) -> Iterator[None]:
        """Heed SIGTERM, and with `spot_notice` the instance metadata too, while the body runs; then SIGTERM is ignored.

        Called in the main thread. Workers of a gang leave the notice to their launcher.
        """
        signal.signal(signal.SIGTERM, self._on_sigterm)
        over = threading.Event()
        endpoint = metadata_endpoint() if spot_notice else None
        if endpoint is not None:
            threading.Thread(
                target=self._watch_for_notice, args=(endpoint, over), name="spot-notice", daemon=True
            ).start()
        try:
            yield
        finally:
            over.set()
            # Until the process ends: one that is stopping is not stopped again, and one that has finished its run,
            # or failed, ends with the code that says so.
            self.disregard()

    def disregard(self) -> None:
        """From now on no order changes anything: the run has its result."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    @contextmanager
    def deferred(self, then_raise: bool = True) -> Iterator[None]:
        """The body watches `reason` itself.

        Raises: RunInterruptedError at the body's end, if the order has come and the body has not dealt with it all
        (`then_raise`): else the process would work on until it is killed.
        """
        self._deferred += 1
        try:
            yield
        finally:
            self._deferred -= 1
        if then_raise:
            self.raise_if_due()

    def raise_if_due(self) -> None:
        """Raises: RunInterruptedError when the order has come and nothing defers it."""
        if self.reason is not None and not self._deferred:
            raise RunInterruptedError(self.reason)

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        if self.reason is None:
            self.reason = self._notice or SIGTERM_REASON
            self.raise_if_due()

    def _watch_for_notice(self, endpoint: str, over: threading.Event) -> None:
        metadata = InstanceMetadata(endpoint)
        while not over.wait(ASK_EVERY_S) and not metadata.is_absent:
            action = metadata.spot_action()
            if action is not None:
                self._notice = f"Spot notice: EC2 will {action} this instance"
                # To the main thread by name, so that it wakes from whatever it waits for.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                return


def metadata_endpoint() -> str | None:
    """Where the instance metadata service is, by AWS's own variables; None when it is switched off.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
    """
    if os.environ.get(DISABLED_VARIABLE, "").lower() == "true":
        return None
    return os.environ.get(ENDPOINT_VARIABLE) or DEFAULT_ENDPOINT


class InstanceMetadata:
    """EC2's instance metadata, version 2: every question carries a token.

    Rebalance recommendations are not read: most are followed by no interruption, and a checkpoint is near anyway.
    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token: str | None = None
        self._ever_answered = False
        self._unanswered = 0
        # Link-local: a proxy could only answer for its own instance.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def is_absent(self) -> bool:
        """No instance of EC2, or one whose container may not ask."""
        return not self._ever_answered and self._unanswered >= TRIES

    def spot_action(self) -> str | None:
        """`terminate`, `stop` or `hibernate` when EC2 is about to; None when it is not, or nobody answers."""
        try:
            if self._token is None:
                self._token = self._ask(
                    "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
                )
                self._ever_answered = True
            body = self._ask("GET", "/latest/meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": self._token})
            notice = json.loads(body)
            return f"{notice['action']} (at {notice['time']})"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 401 and self._token is not None:
                self._token = None  # it has expired
            elif error.code != 404 or self._token is None:  # with a token, 404 is how no notice looks
                self._unanswered += 1
        # Nobody there, or one that speaks otherwise: asked again, a few times.
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            self._unanswered += 1
        return None

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(self._endpoint + path, method=method, headers=headers)  # noqa: S310
        with self._opener.open(request, timeout=ANSWER_WITHIN_S) as answer:
            return answer.read().decode()
