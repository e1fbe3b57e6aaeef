"""SageMaker: models, transform jobs and the registry. What would only pretend to run is refused."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    "CreateModel": Partial("one container; pipelines, ModelDataSource, multi-model and package containers are refused"),
    "CreateTransformJob": Partial(
        "runs the container as a process of this machine, whatever the instance type and count; S3Prefix input only; "
        "data capture, experiments, RecordIO and TFRecord are refused"
    ),
    "StopTransformJob": Partial("no test of its own"),
    **each(
        Partial("SourceUri, SecurityConfig, ModelCard, ModelLifeCycle and ManagedStorageType are refused"),
        "CreateModelPackage UpdateModelPackage",
    ),
    **motos(
        "AddTags CreateModelPackageGroup DeleteModel DeleteTags DescribeModel DescribeModelPackage "
        "DescribeModelPackageGroup DescribeTransformJob ListModelPackageGroups ListModelPackages ListModels ListTags "
        "ListTransformJobs Search"
    ),
    **each(
        Partial("moto's records; nothing is computed from them, not checked further"),
        "AssociateTrialComponent CreateExperiment CreateModelCard CreateTrial CreateTrialComponent DeleteExperiment "
        "DeleteModelCard DeleteTrial DeleteTrialComponent DescribeExperiment DescribeModelCard DescribeTrial "
        "DescribeTrialComponent DisassociateTrialComponent ListExperiments ListModelCardVersions ListModelCards "
        "ListTrialComponents ListTrials UpdateModelCard UpdateTrialComponent",
    ),
    **each(
        Refused("nothing would run"),
        "CreateAutoMLJobV2 CreateCluster CreateCompilationJob CreateDataQualityJobDefinition CreateDomain "
        "CreateEndpoint CreateEndpointConfig CreateHyperParameterTuningJob CreateModelBiasJobDefinition "
        "CreateModelExplainabilityJobDefinition CreateModelQualityJobDefinition CreateNotebookInstance "
        "CreateNotebookInstanceLifecycleConfig CreatePipeline CreateProcessingJob CreateTrainingJob "
        "StartNotebookInstance StartPipelineExecution",
    ),
    "CreateFeatureGroup": Refused("no feature could be put into it"),
}
