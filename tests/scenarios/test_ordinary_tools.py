"""What people type against real AWS works here as well."""

from __future__ import annotations

import pytest

from tests.scenarios.conftest import KeptDemo

pytestmark = pytest.mark.xdist_group("scenarios")


def test_executions_and_their_histories(demo: KeptDemo) -> None:
    stepfunctions = demo.cloud.client("stepfunctions")
    executions = stepfunctions.list_executions(
        stateMachineArn=demo.cloud.outputs["RunMachineArn"], statusFilter="SUCCEEDED", maxResults=5
    )["executions"]
    assert len(executions) == 5
    history = stepfunctions.get_execution_history(executionArn=executions[0]["executionArn"], reverseOrder=True)
    assert history["events"][0]["type"] == "ExecutionSucceeded"
    assert [event["id"] for event in history["events"]] == sorted((e["id"] for e in history["events"]), reverse=True)


def test_a_jobs_log_lines(demo: KeptDemo) -> None:
    logs = demo.cloud.client("logs")
    group = demo.cloud.outputs["JobLogGroupName"]
    events = logs.filter_log_events(logGroupName=group, filterPattern="epoch")["events"]
    assert events
    assert all("epoch" in event["message"] for event in events)


def test_model_packages(demo: KeptDemo) -> None:
    sagemaker = demo.cloud.client("sagemaker")
    packages = sagemaker.list_model_packages(ModelPackageGroupName="turbine-vision", ModelApprovalStatus="Approved")
    (package,) = packages["ModelPackageSummaryList"]
    described = sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    assert described["CustomerMetadataProperties"]["run_id"].startswith("vision-digits-")


def test_a_transform_job(demo: KeptDemo) -> None:
    sagemaker = demo.cloud.client("sagemaker")
    jobs = sagemaker.list_transform_jobs(StatusEquals="Completed")["TransformJobSummaries"]
    assert len(jobs) >= len(demo.runs(decision="promoted"))
