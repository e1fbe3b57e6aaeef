"""A shell in which every command is noted with its answer, as a user would see it, without this machine's names."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-tools/bin/sam"
RUNTIME = "python3.13"
PROJECT = ("config", "examples", "functions", "layers", "samconfig.toml", "stacks", "state_machines", "template.yaml")
"""What the commands read."""
LINES_OF_STDOUT, LINES_OF_STDERR = 18, 8
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PROGRESS = re.compile(r"\s*(Uploading to |File with same data already exists)")


@dataclass(frozen=True)
class Spoken:
    """A command with what came back on both streams, or a remark without a command."""

    command: str
    answer: str


class CommandFailedError(AssertionError):
    """A command of the rehearsal failed."""


@dataclass
class Shell:
    """In `project`, a copy that may be changed. `variables` come on top of an environment without any AWS."""

    project: Path
    programs: Path
    state_dir: Path
    variables: dict[str, str] = field(default_factory=dict)
    spoken: list[Spoken] = field(default_factory=list)

    def type(self, command: str, *, limit_s: float = 1800) -> str:
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
        if done.returncode != 0:
            raise CommandFailedError(f"$ {command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}\n{done.returncode}")
        parts = [self._shown(done.stderr, LINES_OF_STDERR), self._shown(done.stdout, LINES_OF_STDOUT)]
        self.spoken.append(Spoken(command.replace(' --state-dir "$STATE"', ""), "\n".join(filter(None, parts))))
        return done.stdout

    def remark(self, text: str) -> None:
        """A sentence between commands: what was looked at, and is so."""
        self.spoken.append(Spoken("", text))

    def connect(self) -> None:
        """`eval "$(turbine local env)"`."""
        exports = self.type('turbine local env --state-dir "$STATE"')
        self.spoken[-1] = Spoken('eval "$(turbine local env)"', "")
        lines = (line.removeprefix("export ") for line in exports.splitlines() if line.startswith("export "))
        self.variables |= dict(line.partition("=")[::2] for line in lines)

    def _shown(self, text: str, most: int) -> str:
        """What a reader needs of a stream: no progress, no places of this machine, no more lines than one reads."""
        lines = [line.rsplit("\r", 1)[-1].rstrip() for line in _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")]
        kept = [line for line in lines if line and not _PROGRESS.match(line)]
        for place, name in ((self.project, "."), (self.state_dir, ".turbine"), (ROOT, "."), (Path.home(), "~")):
            kept = [line.replace(str(place), name) for line in kept]
        if len(kept) > most:
            half = most // 2
            kept = [*kept[:half], f"[… {len(kept) - 2 * half} lines …]", *kept[-half:]]
        return "\n".join(kept)

    def _environment(self) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "TURBINE_"))}
        runtime = Path(interpreter() or "").parent
        path = os.pathsep.join([str(self.programs), str(SAM.parent), str(runtime), mine["PATH"]])
        own = {"PATH": path, "STATE": str(self.state_dir), "SAM_CLI_TELEMETRY": "0", "NO_COLOR": "1", "COLUMNS": "110"}
        return {**mine, **own, **self.variables}


def missing(*, builds: bool) -> str | None:
    """What the commands would lack here, with the mend; None if it is all here. `sam build` needs more."""
    if not SAM.exists():
        return f"{SAM.relative_to(ROOT)} is not there: make check-template"
    if builds and interpreter() is None:
        return f"no {RUNTIME} that runs: sam build needs the functions' Python, on PATH or under pyenv"
    return None


@cache
def interpreter() -> str | None:
    """A `python3.13` that runs: pyenv puts stubs on PATH that do so only where the version was chosen."""
    candidates = [shutil.which(RUNTIME), *_of_pyenv()]
    for found in candidates:
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


def children_cpu_s() -> float:
    """CPU seconds of the commands so far; not those of the cloud, which runs on."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH="{ROOT}:{ROOT}/layers/core" exec "{sys.executable}" {options} "$@"\n'
        )
        program.chmod(0o755)
    return Shell(project, programs, folder / "state")


def _of_pyenv() -> list[str]:
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [str(path) for path in sorted(folder.glob(f"{RUNTIME.removeprefix('python')}*/bin/{RUNTIME}"))]
