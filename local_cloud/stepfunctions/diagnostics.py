"""What is wrong with a definition, as Step Functions reports it.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = "SCHEMA_VALIDATION_FAILED"


@dataclass(frozen=True)
class Diagnostic:
    """One error, with where it is if it is anywhere."""

    code: str
    message: str
    location: str | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" at {self.location}" if self.location else "")

    def shown(self) -> dict[str, str]:
        """As ValidateStateMachineDefinition answers it."""
        place = {} if self.location is None else {"location": self.location}
        return {"severity": "ERROR", "code": self.code, "message": self.message, **place}
