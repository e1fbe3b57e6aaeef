"""A shell in which every command is noted with its answer, as a user would see it, and without this machine's names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-tools/bin/sam"
RUNTIME = "python3.13"
PROJECT = ("config", "examples", "functions", "layers", "samconfig.toml", "stacks", "state_machines", "template.yaml")
"""What the commands read."""
SHOWN_LINES = 24
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Spoken:
    """One command, and what came back on both streams."""

    command: str
    answer: str


class CommandFailedError(AssertionError):
    """A command of the rehearsal ended with another exit code than it should."""


@dataclass
class Shell:
    """In `project`, a copy that may be changed. `variables` come on top of an environment without any AWS."""

    project: Path
    programs: Path
    state_dir: Path
    variables: dict[str, str] = field(default_factory=dict)
    spoken: list[Spoken] = field(default_factory=list)

    def type(self, command: str, *, limit_s: float = 900, exit_code: int = 0) -> str:
        """Run a line as `sh` would; its stdout.

        Raises: CommandFailedError.
        """
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.project,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        self.spoken.append(Spoken(command, self.shown(done.stdout + done.stderr)))
        if done.returncode != exit_code:
            raise CommandFailedError(f"$ {command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}\n{done.returncode}")
        return done.stdout

    def connect(self) -> None:
        """`eval "$(turbine local env)"`."""
        exports = self.type('turbine local env --state-dir "$STATE"')
        self.spoken[-1] = Spoken('eval "$(turbine local env)"', "")
        lines = (line.removeprefix("export ") for line in exports.splitlines() if line.startswith("export "))
        self.variables |= dict(line.partition("=")[::2] for line in lines)

    def shown(self, text: str) -> str:
        """What a reader needs of an answer: no progress, no places of this machine, no more lines than one reads."""
        whole = _ESCAPES.sub("", text).replace("\r\n", "\n")
        lines = [line.rsplit("\r", 1)[-1].rstrip() for line in whole.split("\n")]
        for place, name in ((self.project, "."), (self.state_dir, ".turbine"), (ROOT, "."), (Path.home(), "~")):
            lines = [line.replace(str(place), name) for line in lines]
        kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
        if len(kept) > SHOWN_LINES:
            half = SHOWN_LINES // 2
            kept = [*kept[:half], f"[… {len(kept) - 2 * half} lines …]", *kept[-half:]]
        return "\n".join(kept).strip("\n")

    def _environment(self) -> Mapping[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "TURBINE_"))}
        runtime = Path(interpreter() or "").parent
        path = os.pathsep.join([str(self.programs), str(SAM.parent), str(runtime), mine["PATH"]])
        own = {"PATH": path, "STATE": str(self.state_dir), "SAM_CLI_TELEMETRY": "0", "NO_COLOR": "1"}
        return {**mine, **own, "COLUMNS": "120", **self.variables}


def missing() -> str | None:
    """What `sam build` would lack here, with the mend; None if it has all."""
    if not SAM.exists():
        return f"{SAM.relative_to(ROOT)} is not there: make check-template"
    if interpreter() is None:
        return f"no {RUNTIME} that runs: the functions' runtime must be on PATH, or under pyenv, for sam build"
    return None


@cache
def interpreter() -> str | None:
    """A `python3.13` that runs: the one on PATH unless it is a stub of pyenv's for a version that is not chosen."""
    candidates = [shutil.which(RUNTIME), *_of_pyenv()]
    for found in candidates:
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


def _of_pyenv() -> list[str]:
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [str(path) for path in sorted(folder.glob(f"{RUNTIME.removeprefix('python')}*/bin/{RUNTIME}"))]


def open_shell(folder: Path) -> Shell:
    """A shell beside a copy of the project, with `turbine` and `sam` on its path, in an empty folder."""
    project, programs = folder / "project", folder / "bin"
    project.mkdir()
    programs.mkdir()
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, project / name)
    for name, options in {"turbine": "-m cli", "python": ""}.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}:{ROOT}/layers/core" exec "{sys.executable}" {options} "$@"\n')
        program.chmod(0o755)
    return Shell(project, programs, folder / "state")
