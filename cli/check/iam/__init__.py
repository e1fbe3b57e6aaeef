"""The IAM proof: what code, machines and services need against what roles grant. `docs/proofs-iam.md`."""

from cli.check.iam.findings import Finding
from cli.check.iam.proof import findings

__all__ = ["Finding", "findings"]
