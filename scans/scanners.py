"""Runs the public scanners and reads what they print."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scans.findings import Finding

_LIMIT_S = 900
_NAG = re.compile(r"(?P<rule>[A-Za-z]+-[A-Za-z0-9]+(\[.*?\](?=:))?): (?P<text>.*)", re.DOTALL)
CODE = ("layers/core", "functions", "batch_jobs", "cli", "local_cloud", "benchmarks", "scans")
_LEFT_OUT = ("requirements*.lock", "vendor/*", "scans/exceptions.yaml")


class ScannerError(RuntimeError):
    """A scanner did not run to its end."""


class Scanners:
    """Public scanners, installed in `environment` (in `tools` what cannot be beside them), on the sources in `root`."""

    def __init__(self, root: Path, environment: Path, tools: Path) -> None:
        self._root, self._bin, self._tools = root, (environment / "bin").resolve(), (tools / "bin").resolve()

    def cfn_lint(self) -> Iterator[Finding]:
        """Errors, warnings and hints on the templates as they are written."""
        names = ["template.yaml", "stacks/prediction.yaml", "stacks/team.yaml"]
        for found in json.loads(
            self._run(self._bin / "cfn-lint", "--include-checks", "I", "--format", "json", "--", *names)
        ):
            path = found["Location"]["Path"] or []
            resource = f"/{path[1]}" if len(path) > 1 and path[0] == "Resources" else ""
            yield Finding(found["Rule"]["Id"], f"{found['Filename']}{resource}", found["Message"])

    def checkov(self, templates: Mapping[str, Path]) -> Iterator[Finding]:
        """Misconfigurations of expanded templates."""
        files = [argument for path in templates.values() for argument in ("--file", str(path))]
        text = self._run(self._bin / "checkov", *files, *_CHECKOV)
        reports = json.loads(text)
        names = {path.name: name for name, path in templates.items()}
        for report in reports if isinstance(reports, list) else [reports]:
            for found in report["results"]["failed_checks"]:
                template = names[Path(found["file_path"]).name]
                resource = found["resource"].rpartition(".")[2]
                yield Finding(found["check_id"], f"{template}/{resource}", found["check_name"])
            if report["results"]["parsing_errors"]:
                raise ScannerError(f"checkov cannot read {report['results']['parsing_errors']}")

    def cdk_nag(self, templates: Mapping[str, Path]) -> Iterator[Finding]:
        """The AwsSolutions and Serverless packs on expanded templates."""
        names = {path.stem: name for name, path in templates.items()}
        text = self._run(self._bin / "python", str(self._root / "scans/nag.py"), *map(str, templates.values()))
        for line in text.splitlines():
            said = json.loads(line)
            if (match := _NAG.match(said["message"])) is None:
                raise ScannerError(f"cdk-nag said something unknown: {said['message']}")
            place = f"{names[said['stack']]}/{said['resource']}"
            yield Finding(match["rule"], place, match["text"].strip().partition("\n")[0])

    def bandit(self) -> Iterator[Finding]:
        """Dangerous calls in the code, of every severity."""
        report = json.loads(self._run(self._bin / "bandit", "--quiet", "--recursive", "--format", "json", *CODE))
        if report["errors"]:
            raise ScannerError(f"bandit cannot read {report['errors']}")
        for found in report["results"]:
            yield Finding(found["test_id"], found["filename"], f"line {found['line_number']}: {found['issue_text']}")

    def detect_secrets(self) -> Iterator[Finding]:
        """What looks like a secret, in every tracked file. The place ends with the start of its hash."""
        tracked = subprocess.run(
            [shutil.which("git") or "git", "ls-files", "-z"],
            cwd=self._root, capture_output=True, check=True, timeout=_LIMIT_S,
        ).stdout.decode()  # fmt: skip
        files = [name for name in tracked.split("\0") if name and not _is_left_out(name)]
        for path, found in json.loads(self._run(self._tools / "detect-secrets", "scan", *files))["results"].items():
            for one in found:
                rule = "secret-" + one["type"].lower().replace(" ", "-")
                yield Finding(rule, f"{path}#{one['hashed_secret'][:8]}", f"line {one['line_number']}")

    def _run(self, program: Path, *arguments: str) -> str:
        """What a scanner prints. Its exit code says at most that it found something. Raises: ScannerError."""
        done = subprocess.run(
            [str(program), *arguments],
            cwd=self._root, env=_offline(), capture_output=True, check=False, timeout=_LIMIT_S,
        )  # fmt: skip
        if done.returncode not in _FOUND.get(program.name, {0}):
            raise ScannerError(f"{program.name} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
        return done.stdout.decode()


_FOUND = {"checkov": {0, 1}, "bandit": {0, 1}, "cfn-lint": {0, 2, 4, 6, 8, 10, 12, 14}}
"""How a scanner may end that ran to its end; cfn-lint has bits for errors, warnings and hints. Others: 0."""
_CHECKOV: Sequence[str] = ("--framework", "cloudformation", "--output", "json", "--compact", "--skip-download")


def _is_left_out(name: str) -> bool:
    """Locks hold versions, the exceptions hashes of what was found, and `vendor/` what is not ours, by its hash."""
    return any(Path(name).match(pattern) for pattern in _LEFT_OUT)


def _offline() -> dict[str, Any]:
    """No scanner sees the caller's AWS credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONWARNINGS": "ignore", "LOG_LEVEL": "ERROR"}
