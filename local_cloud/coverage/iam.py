"""IAM. Nothing is enforced: a caller with keys may do everything."""

from local_cloud.coverage.verdicts import Coverage, Partial, each, motos

COVERAGE: Coverage = {
    **each(
        Partial("moto's; kept and not enforced: no call is refused by it"),
        "AttachGroupPolicy AttachRolePolicy AttachUserPolicy CreateLoginProfile CreateOpenIDConnectProvider "
        "CreatePolicy CreatePolicyVersion CreateSAMLProvider EnableMFADevice PutGroupPolicy "
        "PutRolePermissionsBoundary PutRolePolicy PutUserPolicy SetDefaultPolicyVersion UpdateAccountPasswordPolicy "
        "UpdateAssumeRolePolicy UpdateLoginProfile",
    ),
    **motos(
        "AddRoleToInstanceProfile AddUserToGroup CreateAccessKey CreateAccountAlias CreateGroup CreateInstanceProfile "
        "CreateRole CreateServiceLinkedRole CreateUser CreateVirtualMFADevice DeactivateMFADevice DeleteAccessKey "
        "DeleteAccountAlias DeleteAccountPasswordPolicy DeleteGroup DeleteGroupPolicy DeleteInstanceProfile "
        "DeleteLoginProfile DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole "
        "DeleteRolePermissionsBoundary DeleteRolePolicy DeleteSAMLProvider DeleteSSHPublicKey DeleteServerCertificate "
        "DeleteServiceLinkedRole DeleteSigningCertificate DeleteUser DeleteUserPolicy DeleteVirtualMFADevice "
        "DetachGroupPolicy DetachRolePolicy DetachUserPolicy GenerateCredentialReport GetAccessKeyLastUsed "
        "GetAccountAuthorizationDetails GetAccountPasswordPolicy GetAccountSummary GetCredentialReport GetGroup "
        "GetGroupPolicy GetInstanceProfile GetLoginProfile GetOpenIDConnectProvider GetPolicy GetPolicyVersion "
        "GetRole GetRolePolicy GetSAMLProvider GetSSHPublicKey GetServerCertificate "
        "GetServiceLinkedRoleDeletionStatus GetUser GetUserPolicy ListAccessKeys ListAccountAliases "
        "ListAttachedGroupPolicies ListAttachedRolePolicies ListAttachedUserPolicies ListEntitiesForPolicy "
        "ListGroupPolicies ListGroups ListGroupsForUser ListInstanceProfiles ListInstanceProfilesForRole "
        "ListMFADevices ListOpenIDConnectProviderTags ListOpenIDConnectProviders ListPolicies ListPolicyTags "
        "ListPolicyVersions ListRolePolicies ListRoleTags ListRoles ListSAMLProviders ListSSHPublicKeys "
        "ListServerCertificates ListSigningCertificates ListUserPolicies ListUserTags ListUsers ListVirtualMFADevices "
        "RemoveRoleFromInstanceProfile RemoveUserFromGroup TagInstanceProfile TagOpenIDConnectProvider TagPolicy "
        "TagRole TagUser UntagInstanceProfile UntagOpenIDConnectProvider UntagPolicy UntagRole UntagUser "
        "UpdateAccessKey UpdateGroup UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription "
        "UpdateSAMLProvider UpdateSSHPublicKey UpdateSigningCertificate UpdateUser UploadSSHPublicKey "
        "UploadServerCertificate UploadSigningCertificate"
    ),
}
