"""Systems Manager: parameters and documents."""

from local_cloud.coverage.verdicts import Coverage, Partial, Refused, each, motos

COVERAGE: Coverage = {
    "PutParameter": Partial("moto's: parameter policies are kept and nothing expires; not checked further"),
    **motos(
        "AddTagsToResource CreateDocument DeleteDocument DeleteParameter DeleteParameters DescribeDocument "
        "DescribeDocumentPermission DescribeParameters GetDocument GetParameter GetParameterHistory GetParameters "
        "GetParametersByPath LabelParameterVersion ListDocuments ListTagsForResource ModifyDocumentPermission "
        "RemoveTagsFromResource UnlabelParameterVersion UpdateDocument UpdateDocumentDefaultVersion"
    ),
    **each(Refused("there is no node that could run it"), "GetCommandInvocation ListCommands SendCommand"),
    **each(
        Refused("no task would run and nothing be patched"),
        "CreateMaintenanceWindow CreatePatchBaseline DeleteMaintenanceWindow DeletePatchBaseline "
        "DeregisterPatchBaselineForPatchGroup DeregisterTargetFromMaintenanceWindow "
        "DeregisterTaskFromMaintenanceWindow DescribeMaintenanceWindowTargets DescribeMaintenanceWindowTasks "
        "DescribeMaintenanceWindows DescribePatchBaselines GetMaintenanceWindow GetPatchBaselineForPatchGroup "
        "RegisterPatchBaselineForPatchGroup RegisterTargetWithMaintenanceWindow RegisterTaskWithMaintenanceWindow",
    ),
}
