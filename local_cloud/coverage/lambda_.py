"""Lambda."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    "Invoke": Partial(
        "a process of this machine's Python, whichever python3.* is asked for; this environment's compiled packages "
        "stand in for an archive's; MemorySize is told and not enforced; no limit but the function's own reserved "
        "concurrency"
    ),
    **each(
        Partial("zip archives of python3.* only: images, other runtimes, file systems and SnapStart are refused"),
        "CreateFunction UpdateFunctionConfiguration",
    ),
    "UpdateFunctionCode": Partial("there at once: never LastUpdateStatus InProgress"),
    "PutFunctionConcurrency": Partial("reserved from no account limit"),
    "PutFunctionEventInvokeConfig": Partial("moto's, but for a second one, which replaces the first"),
    **each(
        Partial("moto's: the sender of a message waits for the function; not checked further"),
        "CreateEventSourceMapping UpdateEventSourceMapping",
    ),
    **motos(
        "AddLayerVersionPermission AddPermission CreateAlias DeleteAlias DeleteEventSourceMapping DeleteFunction "
        "DeleteFunctionConcurrency DeleteFunctionEventInvokeConfig DeleteLayerVersion GetAlias GetEventSourceMapping "
        "GetFunction GetFunctionCodeSigningConfig GetFunctionConcurrency GetFunctionConfiguration "
        "GetFunctionEventInvokeConfig GetLayerVersion GetLayerVersionPolicy GetPolicy ListAliases "
        "ListEventSourceMappings ListFunctionEventInvokeConfigs ListFunctions ListLayerVersions ListLayers ListTags "
        "ListVersionsByFunction PublishLayerVersion PublishVersion RemoveLayerVersionPermission RemovePermission "
        "TagResource UntagResource UpdateAlias UpdateFunctionEventInvokeConfig"
    ),
    "InvokeAsync": Refused("deprecated by AWS: use Invoke with InvocationType Event"),
    **each(
        Refused("nothing would serve the URL"),
        "CreateFunctionUrlConfig DeleteFunctionUrlConfig GetFunctionUrlConfig UpdateFunctionUrlConfig",
    ),
}
