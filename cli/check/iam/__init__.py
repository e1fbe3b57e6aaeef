"""The IAM proof: what code, machines and services need against what roles grant. `docs/proofs-iam.md`."""
