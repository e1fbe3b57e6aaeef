"""The inference container: a trained model behind `/ping` and `/invocations`, as SageMaker calls it."""
