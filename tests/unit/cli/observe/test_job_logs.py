from __future__ import annotations

from typing import Any

from cli.observe.job_logs import LogReader, latest_epoch

EPOCH = (
    '{"event": "epoch", "epoch": %d, "epochs": 8, "train_loss": 1.0, "validation_loss": 0.9, "validation_rmse": 55.5}'
)


def test_the_last_epoch_counts_and_other_lines_do_not() -> None:
    report = latest_epoch([EPOCH % 1, "Traceback", "[1]", '{"event": "started"}', EPOCH % 2, '{"event": "evaluated"}'])
    assert report is not None
    assert (report.epoch, report.epochs, report.metric, report.value) == (2, 8, "rmse", 55.5)
    assert latest_epoch(["no JSON"]) is None


class FakeServices:
    """Batch and CloudWatch Logs of one job."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self.asked: list[dict[str, Any]] = []

    def client(self, _name: str) -> FakeServices:
        return self

    def describe_jobs(self, jobs: list[str]) -> dict[str, Any]:
        return {"jobs": [self._job] if jobs == ["job-1"] else []}

    def get_log_events(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        return {"events": [{"message": f"line {len(self.asked)}"}], "nextForwardToken": f"f/{len(self.asked)}"}


def test_reading_goes_on_where_it_ended() -> None:
    options = {"logConfiguration": {"options": {"awslogs-group": "/turbine/jobs"}}}
    services = FakeServices({"container": {"logStreamName": "s/1", **options}})
    reader = LogReader(services, "job-1")  # type: ignore[arg-type]
    assert reader.new_lines() + reader.new_lines() == ["line 1", "line 2"]
    assert services.asked[0]["logGroupName"] == "/turbine/jobs"
    assert "nextToken" not in services.asked[0]
    assert services.asked[1]["nextToken"] == "f/1"


def test_a_job_without_a_stream_has_no_lines() -> None:
    assert LogReader(FakeServices({"container": {}}), "job-1").new_lines() == []  # type: ignore[arg-type]


def test_a_multi_node_job_is_read_at_its_newest_attempt() -> None:
    attempts = [{"container": {"logStreamName": "old"}}, {"container": {"logStreamName": "new"}}]
    services = FakeServices({"attempts": attempts})
    LogReader(services, "job-1").new_lines()  # type: ignore[arg-type]
    assert services.asked[0]["logStreamName"] == "new"
