"""The training job: from a run spec in S3 to a measured, exported model beside it.

Only command, environment and S3 bind it to its container (docs/contracts.md, "The training job").
"""
