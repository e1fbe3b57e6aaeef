import json
from typing import Any

import pytest
import torch

from training.errors import BadConfigurationError
from training.spec import MetricTarget
from training.telemetry import StepReport, Telemetry

TARGET = MetricTarget(namespace="Turbine/Training", dimensions={"Team": "winery", "RunId": "r"})


class Client:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def put_metric_data(self, **call: Any) -> None:
        self.calls.append(call)
        if self._error:
            raise self._error


def report(step: int, loss: float = 20.0, rows: int = 10) -> StepReport:
    return StepReport(step, torch.tensor(loss), rows, 40, 0.1)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_nth_step_is_told_and_all_of_them_go_in_one_call(capsys: pytest.CaptureFixture[str]) -> None:
    client = Client()
    telemetry = Telemetry(TARGET, 2, lambda: client)  # type: ignore[arg-type,return-value]
    for step in range(1, 7):
        telemetry.after_step(report(step))
    telemetry.close()
    told = lines(capsys)
    assert [line["step"] for line in told] == [2, 4, 6]
    assert {line["loss"] for line in told} == {2.0}
    assert all(line["rows_per_s"] > 0 for line in told)
    (call,) = client.calls
    assert call["Namespace"] == "Turbine/Training"
    assert [datum["MetricName"] for datum in call["MetricData"]] == ["train_loss", "train_rows_per_s"] * 3
    assert call["MetricData"][0]["Dimensions"] == [{"Name": "Team", "Value": "winery"}, {"Name": "RunId", "Value": "r"}]


def test_a_run_that_reports_nothing_makes_no_client() -> None:
    def never() -> Any:
        raise AssertionError

    telemetry = Telemetry(TARGET, 50, never)
    telemetry.after_step(report(1))
    telemetry.close()


def test_numbers_that_cannot_be_sent_are_lost_and_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    from botocore.exceptions import EndpointConnectionError

    telemetry = Telemetry(TARGET, 1, lambda: Client(EndpointConnectionError(endpoint_url="x")))  # type: ignore[arg-type,return-value]
    telemetry.after_step(report(1))
    telemetry.close()
    assert [line["event"] for line in lines(capsys)] == ["step", "telemetry_lost"]


def test_a_loss_that_is_no_number_ends_the_run_at_once() -> None:
    telemetry = Telemetry(TARGET, 1, lambda: Client())  # type: ignore[arg-type,return-value]
    with pytest.raises(BadConfigurationError, match="no longer a number in step 4"):
        telemetry.after_step(report(4, loss=float("nan")))


def test_a_step_in_which_this_worker_had_no_rows_has_no_loss(capsys: pytest.CaptureFixture[str]) -> None:
    Telemetry(TARGET, 1, lambda: Client()).after_step(report(1, rows=0))  # type: ignore[arg-type,return-value]
    assert lines(capsys) == []
