# ruff: noqa: ARG002  every type has the same three methods
"""EC2: the network that jobs would run in, launch templates and placement groups. Nothing here runs anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.cloudformation.resources.base import Created, Desired, Resource
from local_cloud.cloudformation.shapes import to_request


@dataclass
class NetworkResource(Resource):
    """A type that one EC2 operation makes and another deletes; any change replaces it.

    `extra` are properties for `configure`, which sets them after the creation. `tag_as` is EC2's name of the
    kind in TagSpecifications.
    """

    type_name: str
    operation: str
    reply: Callable[[dict[str, Any]], Created]
    delete_operation: str
    delete_request: Callable[[Desired, Created], dict[str, Any]]
    tag_as: str | None = None
    extra: tuple[str, ...] = ()
    configure: Callable[[Any, Desired, Created], None] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def create(self, desired: Desired) -> Created:
        ec2 = desired.client("ec2")
        properties = {
            self.renamed.get(name, name): value
            for name, value in desired.properties.items()
            if name not in (*self.extra, "Tags")
        }
        if self.tag_as and (tags := desired.tags()):
            pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
            properties["TagSpecifications"] = [{"ResourceType": self.tag_as, "Tags": pairs}]
        request = to_request("ec2", _api_name(self.operation), properties, self.type_name)
        created = self.reply(getattr(ec2, self.operation)(**request) | {"_request": request})
        if self.configure:
            self.configure(ec2, desired, created)
        return created

    def delete(self, desired: Desired, old: Created) -> None:
        getattr(desired.client("ec2"), self.delete_operation)(**self.delete_request(desired, old))


def _api_name(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))


def _configure_vpc(ec2: Any, desired: Desired, created: Created) -> None:
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        if name in desired.properties:
            value = str(desired.properties[name]).lower() == "true"
            ec2.modify_vpc_attribute(VpcId=created.physical_id, **{name: {"Value": value}})


def _configure_subnet(ec2: Any, desired: Desired, created: Created) -> None:
    if "MapPublicIpOnLaunch" in desired.properties:
        value = str(desired.properties["MapPublicIpOnLaunch"]).lower() == "true"
        ec2.modify_subnet_attribute(SubnetId=created.physical_id, MapPublicIpOnLaunch={"Value": value})


def _vpc(reply: dict[str, Any]) -> Created:
    vpc = reply["Vpc"]
    return Created(vpc["VpcId"], {"VpcId": vpc["VpcId"], "CidrBlock": vpc["CidrBlock"]})


def _subnet(reply: dict[str, Any]) -> Created:
    subnet = reply["Subnet"]
    attributes = {name: subnet[name] for name in ("SubnetId", "VpcId", "AvailabilityZone", "CidrBlock")}
    return Created(subnet["SubnetId"], attributes)


def _route(reply: dict[str, Any]) -> Created:
    request = reply["_request"]
    destination = request.get("DestinationCidrBlock") or request.get("DestinationIpv6CidrBlock", "")
    return Created(f"{request['RouteTableId']}|{destination}")


def _endpoint(reply: dict[str, Any]) -> Created:
    endpoint = reply["VpcEndpoint"]["VpcEndpointId"]
    return Created(endpoint, {"Id": endpoint})


def _attachment(reply: dict[str, Any]) -> Created:
    request = reply["_request"]
    return Created(f"IGW|{request['VpcId']}", {"AttachmentType": "IGW"})


def _launch_template(reply: dict[str, Any]) -> Created:
    template = reply["LaunchTemplate"]
    attributes = {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "LatestVersionNumber": str(template["LatestVersionNumber"]),
        "DefaultVersionNumber": str(template["DefaultVersionNumber"]),
    }
    return Created(template["LaunchTemplateId"], attributes)


class SecurityGroup(Resource):
    """A security group with its own rules; any change replaces it."""

    type_name = "AWS::EC2::SecurityGroup"

    def create(self, desired: Desired) -> Created:
        desired.only("GroupDescription", "GroupName", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags")
        given, ec2 = desired.properties, desired.client("ec2")
        where = {"VpcId": given["VpcId"]} if "VpcId" in given else {}
        group = ec2.create_security_group(
            GroupName=str(given.get("GroupName") or desired.name(255)),
            Description=given["GroupDescription"],
            **where,
        )["GroupId"]
        if rules := given.get("SecurityGroupIngress"):
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(r) for r in rules])
        if rules := given.get("SecurityGroupEgress"):
            everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
            ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[permission(r) for r in rules])
        return Created(group, {"GroupId": group, "Id": group, "VpcId": given.get("VpcId", "")})

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("ec2").delete_security_group(GroupId=old.physical_id)


class SecurityGroupRule(Resource):
    """One rule of a group, as a resource of its own."""

    def __init__(self, direction: str) -> None:
        self.type_name = f"AWS::EC2::SecurityGroup{direction.capitalize()}"
        self._direction = direction

    def create(self, desired: Desired) -> Created:
        ec2, group = desired.client("ec2"), desired.properties["GroupId"]
        rule = {name: value for name, value in desired.properties.items() if name != "GroupId"}
        authorize = getattr(ec2, f"authorize_security_group_{self._direction}")
        authorize(GroupId=group, IpPermissions=[permission(rule)])
        return Created(desired.name(80))

    def delete(self, desired: Desired, old: Created) -> None:
        ec2, group = desired.client("ec2"), desired.properties["GroupId"]
        rule = {name: value for name, value in desired.properties.items() if name != "GroupId"}
        revoke = getattr(ec2, f"revoke_security_group_{self._direction}")
        try:
            revoke(GroupId=group, IpPermissions=[permission(rule)])
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("InvalidPermission.NotFound", "InvalidGroup.NotFound"):
                raise


def permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of a template as the API's IpPermission."""
    made: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    for name in ("FromPort", "ToPort"):
        if name in rule:
            made[name] = int(rule[name])
    described = {"Description": rule["Description"]} if "Description" in rule else {}
    if "CidrIp" in rule:
        made["IpRanges"] = [{"CidrIp": rule["CidrIp"], **described}]
    if "CidrIpv6" in rule:
        made["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **described}]
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    if group:
        made["UserIdGroupPairs"] = [{"GroupId": group, **described}]
    prefix = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if prefix:
        made["PrefixListIds"] = [{"PrefixListId": prefix, **described}]
    return made


class LaunchTemplate(Resource):
    """A launch template: a change adds a version, as on AWS."""

    type_name = "AWS::EC2::LaunchTemplate"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        desired.only("LaunchTemplateName", "LaunchTemplateData", "VersionDescription", "TagSpecifications")
        name = str(desired.properties.get("LaunchTemplateName") or desired.name(128))
        request = desired.request("ec2", "CreateLaunchTemplate", LaunchTemplateName=name)
        return _launch_template(desired.client("ec2").create_launch_template(**request))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        data = {"LaunchTemplateData": desired.properties["LaunchTemplateData"], "LaunchTemplateId": old.physical_id}
        request = to_request("ec2", "CreateLaunchTemplateVersion", data, self.type_name)
        version = desired.client("ec2").create_launch_template_version(**request)["LaunchTemplateVersion"]
        attributes = {**old.attributes, "LatestVersionNumber": str(version["VersionNumber"])}
        return Created(old.physical_id, attributes)

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("ec2").delete_launch_template(LaunchTemplateId=old.physical_id)


class PlacementGroup(Resource):
    """Kept by name only: nothing is placed here, and moto has no placement groups."""

    type_name = "AWS::EC2::PlacementGroup"

    def create(self, desired: Desired) -> Created:
        desired.only("Strategy", "PartitionCount", "SpreadLevel", "Tags", "GroupName")
        name = str(desired.properties.get("GroupName") or desired.name(255))
        return Created(name, {"GroupName": name})

    def delete(self, desired: Desired, old: Created) -> None:
        """Nothing was made outside of the stack."""


def _by_id(parameter: str) -> Callable[[Desired, Created], dict[str, Any]]:
    return lambda _, old: {parameter: old.physical_id}


TYPES: tuple[Resource, ...] = (
    NetworkResource(
        "AWS::EC2::VPC",
        "create_vpc",
        _vpc,
        "delete_vpc",
        _by_id("VpcId"),
        tag_as="vpc",
        extra=("EnableDnsSupport", "EnableDnsHostnames"),
        configure=_configure_vpc,
    ),
    NetworkResource(
        "AWS::EC2::Subnet",
        "create_subnet",
        _subnet,
        "delete_subnet",
        _by_id("SubnetId"),
        tag_as="subnet",
        extra=("MapPublicIpOnLaunch",),
        configure=_configure_subnet,
    ),
    NetworkResource(
        "AWS::EC2::InternetGateway",
        "create_internet_gateway",
        lambda reply: Created(
            reply["InternetGateway"]["InternetGatewayId"],
            {"InternetGatewayId": reply["InternetGateway"]["InternetGatewayId"]},
        ),
        "delete_internet_gateway",
        _by_id("InternetGatewayId"),
        tag_as="internet-gateway",
    ),
    NetworkResource(
        "AWS::EC2::VPCGatewayAttachment",
        "attach_internet_gateway",
        _attachment,
        "detach_internet_gateway",
        lambda desired, _: {
            "InternetGatewayId": desired.properties["InternetGatewayId"],
            "VpcId": desired.properties["VpcId"],
        },
    ),
    NetworkResource(
        "AWS::EC2::RouteTable",
        "create_route_table",
        lambda reply: Created(
            reply["RouteTable"]["RouteTableId"], {"RouteTableId": reply["RouteTable"]["RouteTableId"]}
        ),
        "delete_route_table",
        _by_id("RouteTableId"),
        tag_as="route-table",
    ),
    NetworkResource(
        "AWS::EC2::Route",
        "create_route",
        _route,
        "delete_route",
        lambda desired, _: {
            name: desired.properties[name]
            for name in ("RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock")
            if name in desired.properties
        },
    ),
    NetworkResource(
        "AWS::EC2::SubnetRouteTableAssociation",
        "associate_route_table",
        lambda reply: Created(reply["AssociationId"], {"Id": reply["AssociationId"]}),
        "disassociate_route_table",
        _by_id("AssociationId"),
    ),
    NetworkResource(
        "AWS::EC2::VPCEndpoint",
        "create_vpc_endpoint",
        _endpoint,
        "delete_vpc_endpoints",
        lambda _, old: {"VpcEndpointIds": [old.physical_id]},
        tag_as="vpc-endpoint",
    ),
    SecurityGroup(),
    SecurityGroupRule("ingress"),
    SecurityGroupRule("egress"),
    LaunchTemplate(),
    PlacementGroup(),
)
