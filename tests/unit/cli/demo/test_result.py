from __future__ import annotations

from typing import Any

import pytest

from cli.demo import result
from cli.demo.details import RunDetails
from cli.observe.follow import Ended
from cli.observe.records import RunItems

PREDICTED = {"status": "SUCCEEDED", "predictions_uri": "s3://p/1/", "records": 180}


def _details(
    verdict: str | None = "promoted", status: str = "SUCCEEDED", inference: dict[str, Any] | None = None
) -> RunDetails:
    items = RunItems(
        "vision-digits-1",
        record={"team": "vision"},
        package={"model_package_arn": "arn:package"},
        outcome={"status": status, **({"decision": verdict} if verdict else {})},
    )
    return RunDetails(
        round=1,
        ended=Ended("vision", "vision-digits-1", items, inference),
        metrics={"test": {"accuracy": 0.97}},
        published={"dvc": {"path": "model.tar.gz", "md5": "abc", "size_bytes": 1}},
        provenance={},
        sample=(),
        executions=(),
    )


def test_the_object_has_the_shape_of_the_design() -> None:
    assert result.as_json(88.12345, [_details(inference=PREDICTED)]) == {
        "wall_s": 88.123,
        "runs": [
            {
                "team": "vision",
                "round": 1,
                "run_id": "vision-digits-1",
                "status": "SUCCEEDED",
                "decision": "promoted",
                "metrics": {"accuracy": 0.97},
                "model_package_arn": "arn:package",
                "dvc": {"path": "model.tar.gz", "md5": "abc"},
                "predictions": {"uri": "s3://p/1/", "records": 180},
            }
        ],
    }


@pytest.mark.parametrize(
    ("details", "reached"),
    [
        (_details(inference=PREDICTED), True),
        (_details("held"), True),
        (_details("rejected"), True),
        (_details("promoted"), False),
        (_details("promoted", inference={**PREDICTED, "status": "FAILED"}), False),
        (_details(None, "FAILED"), False),
        (_details(None), False),
    ],
)
def test_a_run_reaches_its_goal_with_a_decision_and_if_promoted_predictions(details: RunDetails, reached: bool) -> None:
    assert details.reached_goal is reached


def test_a_refused_run_still_has_its_line() -> None:
    refused = RunDetails(1, Ended("vision", None, rejections=({"field": "team"},)), {}, {}, {}, (), ())
    (run,) = result.as_json(1.0, [refused])["runs"]
    assert (run["status"], run["decision"], run["dvc"], run["predictions"]) == ("REFUSED", None, None, None)
    assert not refused.reached_goal
