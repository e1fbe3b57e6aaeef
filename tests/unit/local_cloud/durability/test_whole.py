"""Where a change and what is told of it are two steps, no other thread's commit comes in between."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud.batch import submission
from local_cloud.batch.responses import Batch
from local_cloud.replacements import Replacement
from local_cloud.sagemaker import registry
from local_cloud.services import dynamodb, s3
from local_cloud.stepfunctions import executions
from tests.unit.local_cloud.committing import others_can_commit

UPDATE = (
    *("model_package_arn", "model_approval_status", "approval_description", "customer_metadata_properties"),
    *("customer_metadata_properties_to_remove", "additional_inference_specifications_to_add"),
)
PACKAGE = ("customer_metadata_properties", "model_package_group_name", "model_approval_status", "client_token")
CALLS: list[tuple[Sequence[Replacement], str, dict[str, Any]]] = [
    *((s3.REPLACEMENTS, f"S3Response.{name}", {}) for name in s3._WRITES),
    *((dynamodb.REPLACEMENTS, f"DynamoDBBackend.{name}", {}) for name in dynamodb._WRITES),
    (executions.REPLACEMENTS, "StepFunctionsParserBackend.start_execution", {"state_machine_arn": "arn"}),
    (registry.REPLACEMENTS, "SageMakerModelBackend.create_model_package", dict.fromkeys(PACKAGE)),
    (registry.REPLACEMENTS, "SageMakerModelBackend.update_model_package", dict.fromkeys(UPDATE)),
]


class Backend:
    """A backend, as far as these look at it themselves."""

    def __init__(self, **given: Any) -> None:
        vars(self).update(given)


class HalfDoneError(Exception):
    """So far it came."""


@pytest.mark.parametrize(("replacements", "name", "given"), CALLS, ids=[name for _, name, _ in CALLS])
def test_no_commit_comes_into(replacements: Sequence[Replacement], name: str, given: dict[str, Any]) -> None:
    found: list[bool] = []

    def half_done(*_: Any, **__: Any) -> None:
        found.append(others_can_commit())
        raise HalfDoneError

    (replacement,) = [one for one in replacements if one.target.endswith(f":{name}")]
    with pytest.raises(HalfDoneError):
        replacement.build(half_done)(Backend(describe_model_package=half_done), **given)
    assert found == [False]
    assert others_can_commit()


def test_no_commit_comes_into_an_array_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []

    def half_done(*_: Any) -> None:
        found.append(others_can_commit())
        raise HalfDoneError

    monkeypatch.setattr(submission, "records", lambda *_: [SimpleNamespace(job_id="parent")])
    request: Any = SimpleNamespace(_given={}, batch_backend=SimpleNamespace(_jobs=SimpleNamespace(update=half_done)))
    with pytest.raises(HalfDoneError):
        Batch.submitjob(request)
    assert found == [False]
