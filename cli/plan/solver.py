"""Where the exact solver is: an extra of the command, which no function and no job ever sees."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "solver"
"""`make setup` installs requirements-solver.lock there."""


def is_installed() -> bool:
    return (FOLDER / "ortools").is_dir()


def make_importable() -> None:
    """Let `import ortools` find it, after everything else."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
