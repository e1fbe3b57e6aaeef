"""EC2: networks, launch templates and what is around them, as records. No instance runs but the hosts of Batch jobs."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    **each(
        Partial("hosts of Batch jobs are not among them"),
        "DescribeInstanceAttribute DescribeInstanceCreditSpecifications DescribeInstanceStatus DescribeInstances",
    ),
    **each(
        Partial("of hosts of Batch jobs: shuts them down; there are no others"),
        "TerminateInstances",
    ),
    **each(
        Partial("kept; nothing reaches anything through it"),
        "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateFlowLogs CreateInternetGateway "
        "CreateNatGateway CreateNetworkInterface CreateRoute CreateRouteTable CreateSecurityGroup CreateSubnet "
        "CreateTransitGateway CreateVpc CreateVpcEndpoint CreateVpcPeeringConnection CreateVpnConnection",
    ),
    **each(
        Partial("kept and checked by moto; Batch reads nothing of it but the user data"),
        "CreateLaunchTemplate CreateLaunchTemplateVersion",
    ),
    **motos(
        "AcceptTransitGatewayPeeringAttachment AcceptVpcPeeringConnection AllocateAddress AssignIpv6Addresses "
        "AssignPrivateIpAddresses AssociateAddress AssociateDhcpOptions AssociateIamInstanceProfile "
        "AssociateRouteTable AssociateSubnetCidrBlock AssociateTransitGatewayRouteTable AssociateVpcCidrBlock "
        "AttachInternetGateway AttachNetworkInterface AttachVolume AttachVpnGateway CopyImage CopySnapshot "
        "CreateCarrierGateway CreateCustomerGateway CreateDefaultSubnet CreateDefaultVpc CreateDhcpOptions "
        "CreateEgressOnlyInternetGateway CreateImage CreateKeyPair CreateManagedPrefixList CreateNetworkAcl "
        "CreateNetworkAclEntry CreateSnapshot CreateSnapshots "
        "CreateSubnetCidrReservation CreateTags CreateTransitGatewayPeeringAttachment CreateTransitGatewayRoute "
        "CreateTransitGatewayRouteTable CreateTransitGatewayVpcAttachment CreateVolume "
        "CreateVpcEndpointServiceConfiguration CreateVpnGateway DeleteCarrierGateway DeleteCustomerGateway "
        "DeleteDhcpOptions DeleteEgressOnlyInternetGateway DeleteFlowLogs DeleteInternetGateway DeleteKeyPair "
        "DeleteLaunchTemplate DeleteManagedPrefixList DeleteNatGateway DeleteNetworkAcl DeleteNetworkAclEntry "
        "DeleteNetworkInterface DeleteRoute DeleteRouteTable DeleteSecurityGroup DeleteSnapshot "
        "DeleteSubnet DeleteSubnetCidrReservation DeleteTags DeleteTransitGateway "
        "DeleteTransitGatewayPeeringAttachment DeleteTransitGatewayRoute DeleteTransitGatewayRouteTable "
        "DeleteTransitGatewayVpcAttachment DeleteVolume DeleteVpc DeleteVpcEndpointServiceConfigurations "
        "DeleteVpcEndpoints DeleteVpcPeeringConnection DeleteVpnConnection DeleteVpnGateway DeregisterImage "
        "DescribeAccountAttributes DescribeAddresses DescribeAddressesAttribute DescribeAvailabilityZones "
        "DescribeCarrierGateways DescribeCustomerGateways DescribeDhcpOptions DescribeEgressOnlyInternetGateways "
        "DescribeFlowLogs DescribeIamInstanceProfileAssociations DescribeImageAttribute DescribeImages "
        "DescribeInstanceTypeOfferings DescribeInstanceTypes DescribeInternetGateways DescribeKeyPairs "
        "DescribeLaunchTemplateVersions DescribeLaunchTemplates DescribeManagedPrefixLists DescribeNatGateways "
        "DescribeNetworkAcls DescribeNetworkInterfaceAttribute DescribeNetworkInterfaces DescribePrefixLists "
        "DescribeRegions DescribeRouteTables DescribeSecurityGroupRules DescribeSecurityGroups "
        "DescribeSnapshotAttribute DescribeSnapshotTierStatus DescribeSnapshots "
        "DescribeSpotPriceHistory DescribeSubnets DescribeTags DescribeTransitGatewayAttachments "
        "DescribeTransitGatewayPeeringAttachments DescribeTransitGatewayRouteTables "
        "DescribeTransitGatewayVpcAttachments DescribeTransitGateways "
        "DescribeVolumes DescribeVolumesModifications DescribeVpcAttribute DescribeVpcClassicLink "
        "DescribeVpcClassicLinkDnsSupport DescribeVpcEndpointServiceConfigurations "
        "DescribeVpcEndpointServicePermissions DescribeVpcEndpointServices DescribeVpcEndpoints "
        "DescribeVpcPeeringConnections DescribeVpcs DescribeVpnConnections DescribeVpnGateways DetachInternetGateway "
        "DetachNetworkInterface DetachVolume DetachVpnGateway DisableEbsEncryptionByDefault DisableImage "
        "DisableTransitGatewayRouteTablePropagation DisableVpcClassicLink DisableVpcClassicLinkDnsSupport "
        "DisassociateAddress DisassociateIamInstanceProfile DisassociateRouteTable DisassociateSubnetCidrBlock "
        "DisassociateTransitGatewayRouteTable DisassociateVpcCidrBlock EnableEbsEncryptionByDefault EnableImage "
        "EnableTransitGatewayRouteTablePropagation EnableVpcClassicLink EnableVpcClassicLinkDnsSupport "
        "GetEbsEncryptionByDefault GetLaunchTemplateData GetManagedPrefixListEntries GetSubnetCidrReservations "
        "GetTransitGatewayRouteTableAssociations GetTransitGatewayRouteTablePropagations ImportKeyPair "
        "ModifyEbsDefaultKmsKeyId ModifyImageAttribute ModifyInstanceAttribute ModifyInstanceMetadataOptions "
        "ModifyLaunchTemplate ModifyManagedPrefixList ModifyNetworkInterfaceAttribute ModifySecurityGroupRules "
        "ModifySnapshotAttribute ModifySnapshotTier ModifySubnetAttribute ModifyTransitGateway "
        "ModifyTransitGatewayVpcAttachment ModifyVolume ModifyVpcAttribute ModifyVpcEndpoint "
        "ModifyVpcEndpointServiceConfiguration ModifyVpcEndpointServicePermissions ModifyVpcPeeringConnectionOptions "
        "ModifyVpcTenancy RegisterImage RejectTransitGatewayPeeringAttachment RejectVpcPeeringConnection "
        "ReleaseAddress ReplaceIamInstanceProfileAssociation ReplaceNetworkAclAssociation ReplaceNetworkAclEntry "
        "ReplaceRoute ReplaceRouteTableAssociation "
        "RestoreSnapshotTier RevokeSecurityGroupEgress RevokeSecurityGroupIngress "
        "SearchTransitGatewayRoutes UnassignIpv6Addresses UnassignPrivateIpAddresses "
        "UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress"
    ),
    **each(
        Refused("no instance would run: hosts come and go with Batch jobs"),
        "AllocateHosts BundleInstance CancelBundleTask CancelSpotFleetRequests CancelSpotInstanceRequests CreateFleet "
        "DeleteFleets DescribeBundleTasks DescribeFleetInstances DescribeFleets DescribeHosts "
        "DescribeSpotFleetInstances DescribeSpotFleetRequests DescribeSpotInstanceRequests GetConsoleOutput "
        "GetInstanceUefiData GetPasswordData ImportVolume ModifyHosts ModifySpotFleetRequest MonitorInstances "
        "RebootInstances ReleaseHosts RequestSpotFleet RequestSpotInstances RunInstances StartInstances StopInstances "
        "UnmonitorInstances",
    ),
    **each(
        Refused("nothing is bought here"),
        "CancelReservedInstancesListing CreateReservedInstancesListing DescribeReservedInstances "
        "DescribeReservedInstancesListings DescribeReservedInstancesOfferings PurchaseReservedInstancesOffering",
    ),
    **each(
        Refused("no traffic would flow"),
        "CreateTrafficMirrorFilter CreateTrafficMirrorSession CreateTrafficMirrorTarget DeleteTrafficMirrorSession "
        "DescribeTrafficMirrorFilters DescribeTrafficMirrorSessions DescribeTrafficMirrorTargets "
        "ModifyTrafficMirrorSession",
    ),
}
