"""The order to stop: signals this process sends itself, and a metadata service on a loopback port."""

import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from training import interruption as interruption_module
from training.errors import RunInterruptedError
from training.interruption import TRIES, InstanceMetadata, Interruption

NOTICE = b'{"action": "terminate", "time": "2026-11-24T08:22:00Z"}'
LONG_S = 30.0


class MetadataService(ThreadingHTTPServer):
    """EC2's, as far as it is asked: every answer needs a token, and 404 means that there is no notice."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Questions)
        self.notice: bytes | None = None
        self.token_status = 200
        self.valid_token = "token-0"
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Questions(BaseHTTPRequestHandler):
    server: MetadataService

    def do_PUT(self) -> None:
        self.server.asked.append("token")
        good = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
        self._answer(self.server.token_status if good else 400, self.server.valid_token.encode())

    def do_GET(self) -> None:
        self.server.asked.append("notice")
        if self.headers.get("X-aws-ec2-metadata-token") != self.server.valid_token:
            self._answer(401, b"")
        elif self.path != "/latest/meta-data/spot/instance-action" or self.server.notice is None:
            self._answer(404, b"")
        else:
            self._answer(200, self.server.notice)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataService]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nobody is: metadata is never behind a proxy
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    with MetadataService() as server:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url + "/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def stop_this_process() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_raises_at_once_and_only_once() -> None:
    interruption = Interruption()
    with pytest.raises(RunInterruptedError, match="SIGTERM"), interruption.watch(spot_notice=False):
        try:
            stop_this_process()
        finally:
            stop_this_process()  # while the first is on its way: what it does must not be cut short
            interruption.reason += " and heeded"  # type: ignore[operator]
    stop_this_process()  # and it stays so until the process has ended
    assert interruption.reason == "SIGTERM: the job is asked to stop and heeded"


def test_a_training_loop_sees_the_flag_and_raises_itself() -> None:
    interruption = Interruption()
    with pytest.raises(RunInterruptedError, match="step 3"), interruption.watch(False), interruption.deferred():
        for step in range(10):
            if step == 3:
                stop_this_process()
            if interruption.reason:
                raise RunInterruptedError(f"stopped at step {step}")


def test_an_order_in_the_last_step_is_not_forgotten() -> None:
    interruption = Interruption()
    published = False
    with pytest.raises(RunInterruptedError), interruption.watch(False):
        with interruption.deferred():
            stop_this_process()
        published = True
    assert not published


def test_a_body_that_deals_with_the_order_itself_goes_on() -> None:
    interruption = Interruption()
    with interruption.watch(False), interruption.deferred(then_raise=False):
        stop_this_process()
    assert interruption.reason


def test_an_order_after_the_end_changes_nothing() -> None:
    """A run that has finished is not killed while its process winds up."""
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    interruption = Interruption()
    with interruption.watch(spot_notice=False):
        pass
    stop_this_process()
    assert (heard, interruption.reason) == ([], None)


def test_what_has_its_result_is_not_interrupted_any_more() -> None:
    interruption = Interruption()
    with interruption.watch(spot_notice=False):
        interruption.disregard()
        stop_this_process()
    assert interruption.reason is None


def test_the_spot_notice_wakes_the_main_thread(service: MetadataService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption_module, "ASK_EVERY_S", 0.01)
    service.notice = NOTICE
    interruption = Interruption()
    with pytest.raises(RunInterruptedError, match="Spot notice: EC2 will terminate"), interruption.watch():
        threading.Event().wait(LONG_S)


def test_no_question_without_need(service: MetadataService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption_module, "ASK_EVERY_S", 0.01)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "True")
    with Interruption().watch():
        assert "spot-notice" not in {thread.name for thread in threading.enumerate()}
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    with Interruption().watch(spot_notice=False):
        assert "spot-notice" not in {thread.name for thread in threading.enumerate()}
    assert service.asked == []


def test_a_short_job_asks_nobody(service: MetadataService) -> None:
    with Interruption().watch():
        thread = next(thread for thread in threading.enumerate() if thread.name == "spot-notice")
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert service.asked == []


def test_asks_with_one_token_until_it_expires(service: MetadataService) -> None:
    metadata = InstanceMetadata(service.url)
    assert [metadata.spot_action() for _ in range(2)] == [None, None]
    assert service.asked == ["token", "notice", "notice"]
    service.valid_token, service.notice = "token-1", NOTICE
    assert [metadata.spot_action() for _ in range(2)] == [None, "terminate (at 2026-11-24T08:22:00Z)"]
    assert service.asked[3:] == ["notice", "token", "notice"]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_who_gives_no_token_is_none_of_ec2(service: MetadataService, status: int) -> None:
    service.token_status = status
    metadata = InstanceMetadata(service.url)
    for _ in range(TRIES):
        assert not metadata.is_absent
        assert metadata.spot_action() is None
    assert metadata.is_absent


def test_where_nobody_is_the_questions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption_module, "ASK_EVERY_S", 0.01)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    with Interruption().watch():
        thread = next(thread for thread in threading.enumerate() if thread.name == "spot-notice")
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_a_service_that_has_answered_is_asked_again_after_an_outage(service: MetadataService) -> None:
    metadata = InstanceMetadata(service.url)
    metadata.spot_action()
    service.notice = b"not ready"
    assert [metadata.spot_action() for _ in range(TRIES + 1)] == [None] * (TRIES + 1)
    assert not metadata.is_absent
    service.notice = NOTICE
    assert metadata.spot_action() is not None
