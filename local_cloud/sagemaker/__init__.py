"""SageMaker: models that really serve, transforms that really run, and the registry's rules."""
