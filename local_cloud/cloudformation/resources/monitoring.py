"""CloudWatch log groups and alarms, and SSM parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_cloud.cloudformation.resources.base import Created, Desired, Resource, refuse_changes


class LogGroup(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-logs-loggroup.html"""

    type_name = "AWS::Logs::LogGroup"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        given, logs = desired.properties, desired.client("logs")
        desired.only("LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "Tags")
        name = str(given.get("LogGroupName") or desired.name(512))
        logs.create_log_group(
            **desired.request("logs", "CreateLogGroup", LogGroupName=name, RetentionInDays=None, Tags=desired.tags())
        )
        self._retain(desired, name)
        arn = f"arn:aws:logs:{desired.stack.region}:{desired.stack.account}:log-group:{name}:*"
        return Created(name, {"Arn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "LogGroupName", "LogGroupClass", "KmsKeyId")
        self._retain(desired, old.physical_id)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("logs").delete_log_group(logGroupName=old.physical_id)

    @staticmethod
    def _retain(desired: Desired, name: str) -> None:
        days = desired.properties.get("RetentionInDays")
        if days is None:
            desired.client("logs").delete_retention_policy(logGroupName=name)
        else:
            desired.client("logs").put_retention_policy(logGroupName=name, retentionInDays=int(days))


class Alarm(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudwatch-alarm.html"""

    type_name = "AWS::CloudWatch::Alarm"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("AlarmName") or desired.name(255))
        self._put(desired, name)
        return Created(name, {"Arn": f"arn:aws:cloudwatch:{desired.stack.region}:{desired.stack.account}:alarm:{name}"})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "AlarmName")
        self._put(desired, old.physical_id)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("cloudwatch").delete_alarms(AlarmNames=[old.physical_id])

    @staticmethod
    def _put(desired: Desired, name: str) -> None:
        request = desired.request("cloudwatch", "PutMetricAlarm", AlarmName=name)
        desired.client("cloudwatch").put_metric_alarm(**request)


class Dashboard(Resource):
    """A dashboard's text."""

    type_name = "AWS::CloudWatch::Dashboard"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("DashboardName") or desired.name(255))
        request = desired.request("cloudwatch", "PutDashboard", DashboardName=name)
        desired.client("cloudwatch").put_dashboard(**request)
        return Created(name)

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "DashboardName")
        request = desired.request("cloudwatch", "PutDashboard", DashboardName=old.physical_id)
        desired.client("cloudwatch").put_dashboard(**request)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("cloudwatch").delete_dashboards(DashboardNames=[old.physical_id])


class Parameter(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ssm-parameter.html"""

    type_name = "AWS::SSM::Parameter"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("Name") or desired.name(512))
        tags = [{"Key": key, "Value": value} for key, value in desired.tags().items()]
        request = desired.request("ssm", "PutParameter", Name=name, Tags=tags or None)
        desired.client("ssm").put_parameter(**request)
        return Created(name, self._attributes(desired))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "Name", "Tags")
        request = desired.request("ssm", "PutParameter", Name=old.physical_id, Tags=None, Overwrite=True)
        desired.client("ssm").put_parameter(**request)
        return Created(old.physical_id, self._attributes(desired))

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("ssm").delete_parameter(Name=old.physical_id)

    @staticmethod
    def _attributes(desired: Desired) -> dict[str, Any]:
        return {"Type": desired.properties["Type"], "Value": desired.properties["Value"]}


TYPES: tuple[Resource, ...] = (LogGroup(), Alarm(), Dashboard(), Parameter())
