"""What is only written and read again: metrics, alarms, log lines, model packages, roles."""

from __future__ import annotations

import random
import time

from tests.faults.journal.promises import Client, Outage, Promise, is_there, pages, require, require_all, require_once

GROUP = PACKAGES = "journal"


class Metrics(Promise):
    """Every answered point counts, once."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._sent: list[str] = []
        self._answered: list[str] = []

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        self._sent.append(name)
        client("cloudwatch").put_metric_data(Namespace="Journal", MetricData=[{"MetricName": self.tag, "Value": 1.0}])
        self._answered.append(name)

    def verify(self, client: Client, outage: Outage) -> None:
        now = time.time()
        points = client("cloudwatch").get_metric_statistics(
            Namespace="Journal",
            MetricName=self.tag,
            StartTime=now - 3600,
            EndTime=now + 60,
            Period=3600,
            Statistics=["SampleCount"],
        )["Datapoints"]
        samples, least, most = (
            round(sum(point["SampleCount"] for point in points)),
            len(self._answered),
            len(self._sent),
        )
        require(least <= samples <= most, f"{samples} samples, not {least} to {most}")


class Named(Promise):
    """A thing is there when its creation was answered, and never again when its deletion was."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._made: set[str] = set()
        self._deleted: set[str] = set()
        self._open_deletes: set[str] = set()

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        self.make(client, name)
        self._made.add(name)
        if dice.random() < 0.3:
            self._open_deletes.add(name)
            self.delete(client, name)
            self._deleted.add(name)

    def verify(self, client: Client, outage: Outage) -> None:
        found = self.found(client)
        require_once(found, type(self).__name__)
        require_all(self._made - self._open_deletes, found, type(self).__name__)
        back = self._deleted & set(found)
        require(not back, f"{type(self).__name__} that were deleted are back: {sorted(back)[:5]}")

    def make(self, client: Client, name: str) -> None:
        raise NotImplementedError

    def delete(self, client: Client, name: str) -> None:
        raise NotImplementedError

    def found(self, client: Client) -> list[str]:
        raise NotImplementedError


class Alarms(Named):
    def make(self, client: Client, name: str) -> None:
        client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            Namespace="Journal",
            MetricName="none",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )

    def delete(self, client: Client, name: str) -> None:
        client("cloudwatch").delete_alarms(AlarmNames=[name])

    def found(self, client: Client) -> list[str]:
        alarms = pages(client("cloudwatch"), "describe_alarms", "MetricAlarms", AlarmNamePrefix=self.tag)
        return [alarm["AlarmName"] for alarm in alarms]


class Roles(Named):
    def make(self, client: Client, name: str) -> None:
        client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")

    def delete(self, client: Client, name: str) -> None:
        client("iam").delete_role(RoleName=name)

    def found(self, client: Client) -> list[str]:
        return [role["RoleName"] for role in pages(client("iam"), "list_roles", "Roles")]


class LogLines(Promise):
    """Every answered line is there, none twice."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._lines: set[str] = set()

    def prepare(self, client: Client) -> None:
        client("logs").create_log_group(logGroupName=GROUP)
        client("logs").create_log_stream(logGroupName=GROUP, logStreamName=GROUP)

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": name}
        client("logs").put_log_events(logGroupName=GROUP, logStreamName=GROUP, logEvents=[event])
        self._lines.add(name)

    def verify(self, client: Client, outage: Outage) -> None:
        found = client("logs").get_log_events(logGroupName=GROUP, logStreamName=GROUP, startFromHead=True)
        lines = [event["message"] for event in found["events"]]
        require_once(lines, "log lines")
        require_all(self._lines, lines, "log lines")


class Packages(Promise):
    """Every answered model package is there."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._arns: set[str] = set()

    def prepare(self, client: Client) -> None:
        client("sagemaker").create_model_package_group(ModelPackageGroupName=PACKAGES)

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        made = client("sagemaker").create_model_package(
            ModelPackageGroupName=PACKAGES, CustomerMetadataProperties={"name": name}
        )
        self._arns.add(made["ModelPackageArn"])

    def verify(self, client: Client, outage: Outage) -> None:
        for arn in self._arns:
            require(is_there(client("sagemaker").describe_model_package, ModelPackageName=arn), f"{arn} lost")
