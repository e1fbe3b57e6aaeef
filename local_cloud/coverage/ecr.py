"""ECR. Images come from Dockerfiles (`local_cloud/images`), not from a push."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    **each(
        Partial("no image is ever listed: what a repository's image is, its Metadata in the template says"),
        "BatchDeleteImage BatchGetImage DescribeImages ListImages",
    ),
    "PutLifecyclePolicy": Partial("kept; there is no image that could expire"),
    **motos(
        "CreateRepository DeleteLifecyclePolicy DeleteRegistryPolicy DeleteRepository DeleteRepositoryPolicy "
        "DescribeRegistry DescribeRepositories GetAuthorizationToken GetLifecyclePolicy GetRegistryPolicy "
        "GetRepositoryPolicy ListTagsForResource PutImageTagMutability PutRegistryPolicy SetRepositoryPolicy "
        "TagResource UntagResource"
    ),
    **each(
        Refused(
            "an image is what its repository's Metadata {Dockerfile, DockerContext} in the template says, so change "
            "the Dockerfile instead"
        ),
        "BatchCheckLayerAvailability CompleteLayerUpload GetDownloadUrlForLayer InitiateLayerUpload PutImage "
        "UploadLayerPart",
    ),
    **each(
        Refused("nothing would be scanned"),
        "BatchGetRepositoryScanningConfiguration DescribeImageScanFindings GetRegistryScanningConfiguration "
        "PutImageScanningConfiguration PutRegistryScanningConfiguration StartImageScan",
    ),
    "PutReplicationConfiguration": Refused("nothing would be replicated"),
}
