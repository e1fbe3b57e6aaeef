"""What AWS may answer otherwise a moment later has a name of its own, which the machines retry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError
from botocore.stub import Stubber

from turbine.aws import clients, dynamodb
from turbine.aws.batch import BatchJobLogs
from turbine.aws.dynamodb import DynamoTable
from turbine.aws.events import EventBridgeBus
from turbine.aws.s3 import S3Store
from turbine.aws.stepfunctions import StateMachineExecutions
from turbine.domain.errors import EventRefusedError, ExecutionMissingError, LogsUnavailableError, TryAgainError
from turbine.domain.uri import S3Uri

PLACE = S3Uri("store", "a")
ITEM = {"pk": "P", "sk": "A"}


@pytest.fixture
def stub(aws: None) -> Iterator[Stubber]:
    """DynamoDB's answers, by hand."""
    with Stubber(clients.client("dynamodb")) as stubber:
        yield stubber


def cancel(stub: Stubber, *codes: str) -> None:
    reasons = [{"Code": code} for code in codes]
    stub.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": reasons}
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 400), ("TransactionConflictException", 400), ("InternalServerError", 500), ("", 503)],
)
def test_a_busy_service_is_asked_again_by_the_machine(stub: Stubber, code: str, status: int) -> None:
    stub.add_client_error("get_item", code, http_status_code=status)
    with pytest.raises(TryAgainError, match="dynamodb GetItem"):
        DynamoTable("records").get("P", "A")


def test_a_refusal_stays_what_it_is(stub: Stubber) -> None:
    stub.add_client_error("get_item", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        DynamoTable("records").get("P", "A")


def test_a_service_that_cannot_be_reached_is_asked_again(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamo = clients.client("dynamodb")

    def unreached(*_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(dynamo._endpoint, "make_request", unreached)
    with pytest.raises(TryAgainError, match="https://dynamodb"):
        DynamoTable("records").get("P", "A")


def test_botocore_itself_tries_six_times(aws: None) -> None:
    retries = clients.client("dynamodb").meta.config.retries
    assert (retries["mode"], retries["total_max_attempts"]) == ("standard", 6)


def test_a_conflict_of_transactions_is_waited_for(stub: Stubber) -> None:
    pauses: list[float] = []
    cancel(stub, "TransactionConflict", "None")
    cancel(stub, "None", "TransactionConflict")
    stub.add_response("transact_write_items", {})
    assert DynamoTable("records", pauses.append).swap(ITEM, None, ITEM)
    assert pauses == list(dynamodb.PAUSES_S[:2])


def test_a_conflict_that_stays_is_left_to_the_machine(stub: Stubber) -> None:
    pauses: list[float] = []
    for _ in range(len(dynamodb.PAUSES_S) + 1):
        cancel(stub, "TransactionConflict", "None")
    with pytest.raises(TryAgainError, match="records is busy"):
        DynamoTable("records", pauses.append).swap(ITEM, None, ITEM)
    assert len(pauses) == len(dynamodb.PAUSES_S) and sum(pauses) < 5


def test_a_lost_condition_beside_a_conflict_is_an_answer(stub: Stubber) -> None:
    cancel(stub, "TransactionConflict", "ConditionalCheckFailed")
    assert not DynamoTable("records").swap(ITEM, None, ITEM)


def test_a_transaction_that_is_wrong_is_not_tried_again(stub: Stubber) -> None:
    cancel(stub, "ValidationError", "None")
    with pytest.raises(ClientError, match="TransactionCanceled"):
        DynamoTable("records").swap(ITEM, None, ITEM)


def test_an_object_that_breaks_off_is_read_again_by_the_machine(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def read(self) -> bytes:
            raise IncompleteReadError(actual_bytes=1, expected_bytes=2)

    store = S3Store()
    monkeypatch.setattr(store, "_get", lambda *_: {"Body": Broken()})
    with pytest.raises(TryAgainError, match="s3://store/a broke off"):
        store.read(PLACE)


@pytest.mark.parametrize(
    ("code", "error"), [("ThrottlingException", TryAgainError), ("NotAuthorizedForSourceException", EventRefusedError)]
)
def test_only_a_busy_bus_is_asked_again(aws: None, code: str, error: type[Exception]) -> None:
    with Stubber(clients.client("events")) as stub:
        refused = {"ErrorCode": code, "ErrorMessage": "no"}
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [refused]})
        with pytest.raises(error, match=f"{code} no"):
            EventBridgeBus("default").publish("ModelPromoted", {})


def test_a_log_that_is_busy_costs_no_outcome(aws: None) -> None:
    with Stubber(clients.client("batch")) as stub:
        stub.add_client_error("describe_jobs", "TooManyRequestsException", http_status_code=429)
        with pytest.raises(LogsUnavailableError):
            BatchJobLogs("queue", "group").tail("j", 2)


def test_an_execution_that_is_forgotten_is_named(aws: None) -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:m:e"
    with Stubber(clients.client("stepfunctions")) as stub:
        stub.add_client_error("describe_execution", "ExecutionDoesNotExist")
        with pytest.raises(ExecutionMissingError, match=arn):
            StateMachineExecutions().describe(arn)
        stub.add_client_error("describe_execution", "InvalidArn")
        with pytest.raises(ClientError):
            StateMachineExecutions().describe(arn)
