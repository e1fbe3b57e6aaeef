# ruff: noqa: ARG002  every type has the same three methods
"""IAM roles, policies and instance profiles, and KMS keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_cloud.cloudformation.resources.base import Created, Desired, Resource, refuse_changes


def _document(value: Any) -> str:
    """A policy as text. AWS takes one without a version, as SAM writes it; moto does not."""
    document = json.loads(value) if isinstance(value, str) else value
    return json.dumps({"Version": "2012-10-17", **document})


class Role(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-role.html"""

    type_name = "AWS::IAM::Role"
    replaces_on_update = False
    _KNOWN = (
        "AssumeRolePolicyDocument",
        "Description",
        "ManagedPolicyArns",
        "MaxSessionDuration",
        "Path",
        "PermissionsBoundary",
        "Policies",
        "RoleName",
        "Tags",
    )

    def create(self, desired: Desired) -> Created:
        desired.only(*self._KNOWN)
        given, iam = desired.properties, desired.client("iam")
        name = str(given.get("RoleName") or desired.name(64))
        optional = {key: given[key] for key in ("Description", "Path", "PermissionsBoundary") if key in given}
        if "MaxSessionDuration" in given:
            optional["MaxSessionDuration"] = int(given["MaxSessionDuration"])
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=_document(given["AssumeRolePolicyDocument"]),
            Tags=[{"Key": key, "Value": value} for key, value in desired.tags().items()],
            **optional,
        )["Role"]
        self._attach(desired, name, {})
        return Created(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        desired.only(*self._KNOWN)
        refuse_changes(desired, before, "RoleName", "Path")
        desired.client("iam").update_assume_role_policy(
            RoleName=old.physical_id, PolicyDocument=_document(desired.properties["AssumeRolePolicyDocument"])
        )
        self._attach(desired, old.physical_id, before)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        iam, name = desired.client("iam"), old.physical_id
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
        iam.delete_role(RoleName=name)

    @staticmethod
    def _attach(desired: Desired, name: str, before: Mapping[str, Any]) -> None:
        iam, given = desired.client("iam"), desired.properties
        old_inline = {policy["PolicyName"] for policy in before.get("Policies") or []}
        for policy in given.get("Policies") or []:
            old_inline.discard(policy["PolicyName"])
            iam.put_role_policy(
                RoleName=name,
                PolicyName=policy["PolicyName"],
                PolicyDocument=_document(policy["PolicyDocument"]),
            )
        for policy_name in old_inline:
            iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
        old_attached, attached = set(before.get("ManagedPolicyArns") or []), set(given.get("ManagedPolicyArns") or [])
        for arn in sorted(attached - old_attached):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in sorted(old_attached - attached):
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)


class InlinePolicy(Resource):
    """`AWS::IAM::Policy`: an inline policy of roles."""

    type_name = "AWS::IAM::Policy"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        desired.only("PolicyName", "PolicyDocument", "Roles")
        given = desired.properties
        for role in given.get("Roles") or []:
            desired.client("iam").put_role_policy(
                RoleName=role,
                PolicyName=given["PolicyName"],
                PolicyDocument=_document(given["PolicyDocument"]),
            )
        return Created(str(given["PolicyName"]))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        gone = {(role, before["PolicyName"]) for role in before.get("Roles") or []}
        kept = {(role, desired.properties["PolicyName"]) for role in desired.properties.get("Roles") or []}
        for role, name in gone - kept:
            desired.client("iam").delete_role_policy(RoleName=role, PolicyName=name)
        return self.create(desired)

    def delete(self, desired: Desired, old: Created) -> None:
        for role in desired.properties.get("Roles") or []:
            desired.client("iam").delete_role_policy(RoleName=role, PolicyName=old.physical_id)


class ManagedPolicy(Resource):
    """A policy of its own, attached to roles."""

    type_name = "AWS::IAM::ManagedPolicy"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        desired.only("ManagedPolicyName", "PolicyDocument", "Description", "Path", "Roles")
        given, iam = desired.properties, desired.client("iam")
        arn = iam.create_policy(
            PolicyName=str(given.get("ManagedPolicyName") or desired.name(128)),
            PolicyDocument=_document(given["PolicyDocument"]),
            Description=given.get("Description", ""),
            Path=given.get("Path", "/"),
        )["Policy"]["Arn"]
        for role in given.get("Roles") or []:
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        return Created(arn, {"PolicyArn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "ManagedPolicyName", "Path")
        iam, arn = desired.client("iam"), old.physical_id
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        document = _document(desired.properties["PolicyDocument"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
        old_roles, roles = set(before.get("Roles") or []), set(desired.properties.get("Roles") or [])
        for role in roles - old_roles:
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        for role in old_roles - roles:
            iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        iam, arn = desired.client("iam"), old.physical_id
        for role in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]:
            iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=arn)


class InstanceProfile(Resource):
    """The role of instances."""

    type_name = "AWS::IAM::InstanceProfile"

    def create(self, desired: Desired) -> Created:
        desired.only("InstanceProfileName", "Path", "Roles")
        given, iam = desired.properties, desired.client("iam")
        name = str(given.get("InstanceProfileName") or desired.name(128))
        profile = iam.create_instance_profile(InstanceProfileName=name, Path=given.get("Path", "/"))
        for role in given["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        return Created(name, {"Arn": profile["InstanceProfile"]["Arn"]})

    def delete(self, desired: Desired, old: Created) -> None:
        iam, name = desired.client("iam"), old.physical_id
        for role in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        iam.delete_instance_profile(InstanceProfileName=name)


class Key(Resource):
    """A KMS key; deleting it schedules the deletion, as on AWS."""

    type_name = "AWS::KMS::Key"
    replaces_on_update = False
    _KNOWN = (
        "Description",
        "Enabled",
        "EnableKeyRotation",
        "KeyPolicy",
        "KeySpec",
        "KeyUsage",
        "PendingWindowInDays",
        "Tags",
    )

    def create(self, desired: Desired) -> Created:
        desired.only(*self._KNOWN)
        given, kms = desired.properties, desired.client("kms")
        optional = {name: given[name] for name in ("Description", "KeySpec", "KeyUsage") if name in given}
        if "KeyPolicy" in given:
            optional["Policy"] = _document(given["KeyPolicy"])
        tags = [{"TagKey": key, "TagValue": value} for key, value in desired.tags().items()]
        key = kms.create_key(Tags=tags, **optional)["KeyMetadata"]
        if str(given.get("EnableKeyRotation", False)).lower() == "true":
            kms.enable_key_rotation(KeyId=key["KeyId"])
        return Created(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        desired.only(*self._KNOWN)
        refuse_changes(desired, before, "KeySpec", "KeyUsage", "Enabled", "Tags")
        given, kms = desired.properties, desired.client("kms")
        if "KeyPolicy" in given:
            kms.put_key_policy(KeyId=old.physical_id, PolicyName="default", Policy=_document(given["KeyPolicy"]))
        kms.update_key_description(KeyId=old.physical_id, Description=given.get("Description", ""))
        rotate = str(given.get("EnableKeyRotation", False)).lower() == "true"
        (kms.enable_key_rotation if rotate else kms.disable_key_rotation)(KeyId=old.physical_id)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        days = int(desired.properties.get("PendingWindowInDays", 30))
        desired.client("kms").schedule_key_deletion(KeyId=old.physical_id, PendingWindowInDays=days)


class Alias(Resource):
    """Another name of a key."""

    type_name = "AWS::KMS::Alias"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        request = desired.request("kms", "CreateAlias")
        desired.client("kms").create_alias(**request)
        return Created(request["AliasName"])

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "AliasName")
        desired.client("kms").update_alias(**desired.request("kms", "UpdateAlias"))
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("kms").delete_alias(AliasName=old.physical_id)


TYPES: tuple[Resource, ...] = (Role(), InlinePolicy(), ManagedPolicy(), InstanceProfile(), Key(), Alias())
