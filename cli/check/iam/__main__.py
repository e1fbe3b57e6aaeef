"""`python -m cli.check.iam`: print what the proof found; exit code 1 if that is anything."""

from __future__ import annotations

import sys
from pathlib import Path

from cli.check.iam import findings

PROJECT = Path(__file__).resolve().parents[3]


def main() -> int:
    found = findings(PROJECT)
    for one in found:
        sys.stdout.write(f"{one}\n")
    sys.stderr.write(f"{len(found)} finding(s)\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
