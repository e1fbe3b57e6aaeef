"""Lambda functions and what belongs to them, state machines, rules and schedules."""
# ruff: noqa: ARG002  every type has the same three methods

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import yaml
from botocore.exceptions import ClientError

from local_cloud.cloudformation.errors import ResourceError, UnsupportedPropertyError
from local_cloud.cloudformation.resources.base import Created, Desired, Resource, refuse_changes
from local_cloud.cloudformation.shapes import to_request

_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


class Function(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html"""

    type_name = "AWS::Lambda::Function"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("FunctionName") or desired.name(64))
        function = desired.client("lambda")
        request = desired.request(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Code=self._code(desired),
            Tags=desired.tags() or None,
            ReservedConcurrentExecutions=None,
        )
        arn = function.create_function(**request)["FunctionArn"]
        self._limit(desired, name)
        return Created(name, {"Arn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "FunctionName", "PackageType", "Architectures")
        function, given = desired.client("lambda"), desired.properties
        if given["Code"] != before["Code"]:
            code = to_request("lambda", "UpdateFunctionCode", self._code(desired), self.type_name)
            function.update_function_code(FunctionName=old.physical_id, **code)
        request = desired.request(
            "lambda",
            "UpdateFunctionConfiguration",
            FunctionName=old.physical_id,
            Code=None,
            Tags=None,
            PackageType=None,
            Architectures=None,
            ReservedConcurrentExecutions=None,
            Environment=given.get("Environment") or {"Variables": {}},
            Layers=given.get("Layers") or [],
        )
        function.update_function_configuration(**request)
        self._limit(desired, old.physical_id)
        if tags := desired.tags():
            function.tag_resource(Resource=old.attributes["Arn"], Tags=tags)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("lambda").delete_function(FunctionName=old.physical_id)

    @staticmethod
    def _code(desired: Desired) -> dict[str, Any]:
        code = dict(desired.properties["Code"])
        if "ZipFile" in code:
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as bundle:
                bundle.writestr("index.py", code["ZipFile"])
            code["ZipFile"] = archive.getvalue()
        return code

    @staticmethod
    def _limit(desired: Desired, name: str) -> None:
        limit = desired.properties.get("ReservedConcurrentExecutions")
        if limit is not None:
            desired.client("lambda").put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=int(limit)
            )


class LayerVersion(Resource):
    """A layer: every change publishes the next version."""

    type_name = "AWS::Lambda::LayerVersion"

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("LayerName") or desired.logical_id)
        request = desired.request("lambda", "PublishLayerVersion", LayerName=name)
        arn = desired.client("lambda").publish_layer_version(**request)["LayerVersionArn"]
        return Created(arn, {"LayerVersionArn": arn})

    def delete(self, desired: Desired, old: Created) -> None:
        layer, version = old.physical_id.rsplit(":", 1)
        desired.client("lambda").delete_layer_version(LayerName=layer, VersionNumber=int(version))


class FunctionVersion(Resource):
    """A published version of a function."""

    type_name = "AWS::Lambda::Version"

    def create(self, desired: Desired) -> Created:
        reply = desired.client("lambda").publish_version(**desired.request("lambda", "PublishVersion"))
        return Created(reply["FunctionArn"], {"Version": reply["Version"], "FunctionArn": reply["FunctionArn"]})

    def delete(self, desired: Desired, old: Created) -> None:
        name, version = old.physical_id.rsplit(":", 1)
        desired.client("lambda").delete_function(FunctionName=name, Qualifier=version)


class FunctionAlias(Resource):
    """A name for a version."""

    type_name = "AWS::Lambda::Alias"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        reply = desired.client("lambda").create_alias(**desired.request("lambda", "CreateAlias"))
        return Created(reply["AliasArn"], {"AliasArn": reply["AliasArn"]})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "Name", "FunctionName")
        desired.client("lambda").update_alias(**desired.request("lambda", "UpdateAlias"))
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        given = desired.properties
        desired.client("lambda").delete_alias(FunctionName=given["FunctionName"], Name=given["Name"])


class Permission(Resource):
    """Who may invoke a function; any change replaces it."""

    type_name = "AWS::Lambda::Permission"

    def create(self, desired: Desired) -> Created:
        statement = desired.name(100)
        request = desired.request("lambda", "AddPermission", StatementId=statement)
        desired.client("lambda").add_permission(**request)
        return Created(statement, {"Id": statement})

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("lambda").remove_permission(
            FunctionName=desired.properties["FunctionName"], StatementId=old.physical_id
        )


class EventInvokeConfig(Resource):
    """How asynchronous invocations are retried and where failures go."""

    type_name = "AWS::Lambda::EventInvokeConfig"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        # moto keeps one configuration a function, whatever the qualifier; SAM's $LATEST is that one.
        qualifier = desired.properties.get("Qualifier", "$LATEST")
        request = desired.request("lambda", "PutFunctionEventInvokeConfig", Qualifier=None)
        desired.client("lambda").put_function_event_invoke_config(**request)
        return Created(f"{request['FunctionName']}|{qualifier}")

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "FunctionName", "Qualifier")
        return self.create(desired)

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("lambda").delete_function_event_invoke_config(FunctionName=desired.properties["FunctionName"])


class StateMachine(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-stepfunctions-statemachine.html"""

    type_name = "AWS::StepFunctions::StateMachine"
    replaces_on_update = False
    _OWN = ("Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions")

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("StateMachineName") or desired.name(80))
        request = self._request(
            desired, "CreateStateMachine", Name=name, Type=desired.properties.get("StateMachineType")
        )
        arn = desired.client("stepfunctions").create_state_machine(**request)["stateMachineArn"]
        return Created(arn, self._attributes(desired, arn, name))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "StateMachineName", "StateMachineType")
        request = self._request(desired, "UpdateStateMachine", StateMachineArn=old.physical_id, Tags=None)
        desired.client("stepfunctions").update_state_machine(**request)
        return Created(old.physical_id, self._attributes(desired, old.physical_id, str(old.attributes["Name"])))

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("stepfunctions").delete_state_machine(stateMachineArn=old.physical_id)

    def _request(self, desired: Desired, operation: str, **overrides: Any) -> dict[str, Any]:
        names = dict.fromkeys((*self._OWN, "StateMachineName", "StateMachineType"))
        return desired.request(
            "stepfunctions", operation, **{**names, "Definition": self._definition(desired), **overrides}
        )

    @staticmethod
    def _attributes(desired: Desired, arn: str, name: str) -> dict[str, str]:
        found = desired.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
        revision = found.get("revisionId") or "INITIAL"
        return {"Arn": arn, "Name": name, "StateMachineRevisionId": revision}

    def _definition(self, desired: Desired) -> str:
        """The definition as text, substitutions made.

        Raises: ResourceError for a placeholder that no substitution fills.
        """
        given = desired.properties
        if "DefinitionString" in given:
            text = str(given["DefinitionString"])
        elif "Definition" in given:
            text = json.dumps(given["Definition"])
        elif location := given.get("DefinitionS3Location"):
            version = {"VersionId": location["Version"]} if location.get("Version") else {}
            reply = desired.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
            text = reply["Body"].read().decode()
        else:
            raise ResourceError(f"{self.type_name}: no definition is given")
        substitutions = given.get("DefinitionSubstitutions") or {}

        def fill(match: re.Match[str]) -> str:
            if match[1] not in substitutions:
                raise ResourceError(f"{self.type_name}: DefinitionSubstitutions has no {match[1]}")
            value = substitutions[match[1]]
            return str(value).lower() if isinstance(value, bool) else str(value)

        filled = _SUBSTITUTION.sub(fill, text)
        return filled if filled.lstrip().startswith("{") else json.dumps(yaml.safe_load(filled))


class StateMachineVersion(Resource):
    """A published version of a machine."""

    type_name = "AWS::StepFunctions::StateMachineVersion"

    def create(self, desired: Desired) -> Created:
        desired.only("StateMachineArn", "StateMachineRevisionId", "Description")
        request = {
            "StateMachineArn": desired.properties["StateMachineArn"],
            "Description": desired.properties.get("Description", ""),
        }
        reply = desired.client("stepfunctions").publish_state_machine_version(
            **to_request("stepfunctions", "PublishStateMachineVersion", request, self.type_name)
        )
        arn = reply["stateMachineVersionArn"]
        return Created(arn, {"Arn": arn})

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("stepfunctions").delete_state_machine_version(stateMachineVersionArn=old.physical_id)


class StateMachineAlias(Resource):
    """A name for versions of a machine."""

    type_name = "AWS::StepFunctions::StateMachineAlias"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        if "DeploymentPreference" in desired.properties:
            raise UnsupportedPropertyError(self.type_name, "DeploymentPreference")
        request = desired.request("stepfunctions", "CreateStateMachineAlias")
        arn = desired.client("stepfunctions").create_state_machine_alias(**request)["stateMachineAliasArn"]
        return Created(arn, {"Arn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "Name")
        request = desired.request(
            "stepfunctions", "UpdateStateMachineAlias", Name=None, StateMachineAliasArn=old.physical_id
        )
        desired.client("stepfunctions").update_state_machine_alias(**request)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("stepfunctions").delete_state_machine_alias(stateMachineAliasArn=old.physical_id)


class Rule(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-events-rule.html"""

    type_name = "AWS::Events::Rule"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        return self._put(desired, str(desired.properties.get("Name") or desired.name(64)))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "Name", "EventBusName")
        kept = {target["Id"] for target in desired.properties.get("Targets") or []}
        if gone := [target["Id"] for target in before.get("Targets") or [] if target["Id"] not in kept]:
            self._client(desired).remove_targets(Rule=self._name(old), Ids=gone, **self._bus(desired))
        return self._put(desired, self._name(old))

    def delete(self, desired: Desired, old: Created) -> None:
        events, where = self._client(desired), self._bus(desired)
        try:
            targets = events.list_targets_by_rule(Rule=self._name(old), **where)["Targets"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return
        if targets:
            events.remove_targets(Rule=self._name(old), Ids=[target["Id"] for target in targets], **where)
        events.delete_rule(Name=self._name(old), **where)

    def _put(self, desired: Desired, name: str) -> Created:
        given, events = desired.properties, self._client(desired)
        tags = [{"Key": key, "Value": value} for key, value in desired.tags().items()]
        arn = events.put_rule(**desired.request("events", "PutRule", Name=name, Targets=None, Tags=tags or None))[
            "RuleArn"
        ]
        if targets := given.get("Targets"):
            request = {"Rule": name, "Targets": targets, **self._bus(desired)}
            reply = events.put_targets(**to_request("events", "PutTargets", request, self.type_name))
            if reply["FailedEntryCount"]:
                raise ResourceError(f"{self.type_name}: {reply['FailedEntries']}")
        return Created(name, {"Arn": arn})

    @staticmethod
    def _name(old: Created) -> str:
        return old.physical_id.rsplit("|", 1)[-1]

    @staticmethod
    def _bus(desired: Desired) -> dict[str, str]:
        bus = desired.properties.get("EventBusName")
        return {"EventBusName": str(bus)} if bus else {}

    @staticmethod
    def _client(desired: Desired) -> Any:
        return desired.client("events")


class EventBus(Resource):
    """A bus of one's own."""

    type_name = "AWS::Events::EventBus"

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties["Name"])
        request = desired.request("events", "CreateEventBus", Policy=None)
        arn = desired.client("events").create_event_bus(**request)["EventBusArn"]
        return Created(name, {"Arn": arn, "Name": name})

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("events").delete_event_bus(Name=old.physical_id)


class Schedule(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-scheduler-schedule.html"""

    type_name = "AWS::Scheduler::Schedule"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("Name") or desired.name(64))
        request = desired.request("scheduler", "CreateSchedule", Name=name)
        return Created(name, {"Arn": desired.client("scheduler").create_schedule(**request)["ScheduleArn"]})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "Name", "GroupName")
        request = desired.request("scheduler", "UpdateSchedule", Name=old.physical_id)
        desired.client("scheduler").update_schedule(**request)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        group = desired.properties.get("GroupName")
        where = {"GroupName": str(group)} if group else {}
        desired.client("scheduler").delete_schedule(Name=old.physical_id, **where)


class ScheduleGroup(Resource):
    """A folder of schedules."""

    type_name = "AWS::Scheduler::ScheduleGroup"

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("Name") or desired.name(64))
        tags = [{"Key": key, "Value": value} for key, value in desired.tags().items()]
        request = desired.request("scheduler", "CreateScheduleGroup", Name=name, Tags=tags or None)
        return Created(name, {"Arn": desired.client("scheduler").create_schedule_group(**request)["ScheduleGroupArn"]})

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("scheduler").delete_schedule_group(Name=old.physical_id)


TYPES: tuple[Resource, ...] = (
    Function(),
    LayerVersion(),
    FunctionVersion(),
    FunctionAlias(),
    Permission(),
    EventInvokeConfig(),
    StateMachine(),
    StateMachineVersion(),
    StateMachineAlias(),
    Rule(),
    EventBus(),
    Schedule(),
    ScheduleGroup(),
)
