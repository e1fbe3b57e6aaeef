"""Reads a Dockerfile. Decides which instructions this cloud can carry out without Docker; refuses the others by name.

Source: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

_KNOWN = ("FROM", "ARG", "WORKDIR", "COPY", "ENV", "RUN", "ENTRYPOINT", "CMD", "EXPOSE", "LABEL", "USER")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_PIP = re.compile(r"^(?:--mount=type=cache\S*\s+)*(?:python3?\s+-m\s+)?pip3?\s+install\s+(?P<arguments>.+)$", re.DOTALL)
_PIP_FLAGS = {
    "--no-cache-dir", "--no-cache", "--upgrade", "-U", "--no-deps", "--quiet", "-q", "--require-hashes",
    "--disable-pip-version-check", "--no-compile", "--only-binary=:all:",
}  # fmt: skip
_PIP_OPTIONS = {"-i", "--index-url", "--extra-index-url", "--root-user-action", "--only-binary", "--platform"}


class UnsupportedDockerfileError(ValueError):
    """A Dockerfile asks for something that is not emulated."""


@dataclass(frozen=True)
class Copy:
    """`COPY sources… destination`; the destination is an absolute path in the container."""

    sources: tuple[str, ...]
    destination: str


@dataclass(frozen=True)
class PipInstall:
    """What `RUN pip install` names: requirements, and requirement files as absolute paths in the container."""

    requirements: tuple[str, ...]
    files: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile's meaning for a process: files to lay out, packages to find, and how to start."""

    base: str
    copies: tuple[Copy, ...]
    installs: tuple[PipInstall, ...]
    environment: dict[str, str]
    workdir: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]


def parse(text: str) -> Dockerfile:
    """The meaning of a Dockerfile's text.

    Raises: UnsupportedDockerfileError naming the line and the instruction.
    """
    reader = _Reader()
    for number, line in _logical_lines(text):
        instruction, _, rest = line.partition(" ")
        reader.read(number, instruction.upper(), rest.strip())
    return reader.result()


class _Reader:
    """Instructions in order, each seeing what those before it set."""

    def __init__(self) -> None:
        self.base: str | None = None
        self.arguments: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.workdir = "/"
        self.copies: list[Copy] = []
        self.installs: list[PipInstall] = []
        self.entrypoint: tuple[str, ...] = ()
        self.command: tuple[str, ...] = ()

    def read(self, number: int, instruction: str, rest: str) -> None:
        if instruction not in _KNOWN:
            raise _refused(number, instruction, f"it knows {', '.join(_KNOWN)}")
        if instruction == "FROM":
            self._from(number, rest)
        elif instruction == "ARG":
            name, _, default = rest.partition("=")
            self.arguments[name.strip()] = _unquote(self._expand(default))
        elif instruction == "WORKDIR":
            self.workdir = self._absolute(_unquote(self._expand(rest)))
        elif instruction == "ENV":
            self._env(number, rest)
        elif instruction == "COPY":
            self._copy(number, rest)
        elif instruction == "RUN":
            self._run(number, rest)
        elif instruction == "ENTRYPOINT":
            self.entrypoint = _command(rest)
        elif instruction == "CMD":
            self.command = _command(rest)
        # EXPOSE, LABEL and USER say nothing to a process on this machine.

    def result(self) -> Dockerfile:
        if self.base is None:
            raise UnsupportedDockerfileError("a Dockerfile needs FROM")
        return Dockerfile(
            self.base,
            tuple(self.copies),
            tuple(self.installs),
            self.environment,
            self.workdir,
            self.entrypoint,
            self.command,
        )

    def _from(self, number: int, rest: str) -> None:
        if self.base is not None:
            raise _refused(number, "FROM", "only one stage is emulated")
        words = [word for word in shlex.split(self._expand(rest)) if not word.startswith("--platform")]
        if not words:
            raise _refused(number, "FROM", "it names no image")
        self.base = words[0]

    def _env(self, number: int, rest: str) -> None:
        words = shlex.split(rest)
        if words and "=" not in words[0]:
            words = [f"{words[0]}={rest.split(None, 1)[1]}"]
        if not words or any("=" not in word for word in words):
            raise _refused(number, "ENV", "it must be NAME=value")
        settings = [word.partition("=") for word in words]
        # Docker expands all values of one instruction with what stood before it.
        self.environment.update({name: self._expand(value) for name, _, value in settings})

    def _copy(self, number: int, rest: str) -> None:
        words = json.loads(rest) if rest.startswith("[") else shlex.split(self._expand(rest))
        while words and words[0].startswith("--"):
            option = words.pop(0)
            if not option.startswith(("--chown=", "--chmod=", "--link")):
                raise _refused(number, f"COPY {option.split('=')[0]}", "the files must come from the context")
        if len(words) < 2:
            raise _refused(number, "COPY", "it needs a source and a destination")
        *sources, destination = words
        absolute = self._absolute(destination)
        directory = destination.endswith("/") or destination in (".", "./") or len(sources) > 1
        self.copies.append(Copy(tuple(sources), absolute.rstrip("/") + "/" if directory else absolute))

    def _run(self, number: int, rest: str) -> None:
        for command in rest.split("&&"):
            match = _PIP.match(self._expand(command.strip()))
            if match is None:
                raise _refused(number, f"RUN {command.strip()}", "only pip install is emulated")
            self.installs.append(self._pip_install(number, shlex.split(match["arguments"])))

    def _pip_install(self, number: int, words: list[str]) -> PipInstall:
        requirements: list[str] = []
        files: list[str] = []
        remaining = iter(words)
        for word in remaining:
            if word in ("-r", "--requirement", "-c", "--constraint"):
                files.append(self._absolute(next(remaining, "")))
            elif word.startswith(("--requirement=", "--constraint=")):
                files.append(self._absolute(word.partition("=")[2]))
            elif word in _PIP_OPTIONS:
                next(remaining, None)
            elif word.startswith("-"):
                if word not in _PIP_FLAGS and word.partition("=")[0] not in _PIP_OPTIONS:
                    raise _refused(number, f"RUN pip install {word}", "the option is not emulated")
            else:
                requirements.append(word)
        return PipInstall(tuple(requirements), tuple(files), number)

    def _absolute(self, path: str) -> str:
        joined = path if path.startswith("/") else f"{self.workdir.rstrip('/')}/{path}"
        parts: list[str] = []
        for part in joined.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)

    def _expand(self, text: str) -> str:
        known = {**self.arguments, **self.environment}
        # PATH is the machine's own: it stays to be filled in when the process starts.
        return _VARIABLE.sub(
            lambda match: match[0] if (match[1] or match[2]) == "PATH" else known.get(match[1] or match[2], ""), text
        )


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    pending = ""
    start = 0
    for number, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if stripped.startswith("#") or (not stripped and not pending):
            continue
        start = start if pending else number
        if stripped.endswith("\\"):
            pending += stripped[:-1] + " "
            continue
        line = (pending + stripped).strip()
        pending = ""
        if line:
            lines.append((start, line))
    if pending.strip():
        lines.append((start, pending.strip()))
    return lines


def _command(rest: str) -> tuple[str, ...]:
    return tuple(json.loads(rest)) if rest.startswith("[") else ("/bin/sh", "-c", rest)


def _unquote(text: str) -> str:
    return shlex.split(text)[0] if text.strip() else ""


def _refused(line: int, what: str, reason: str) -> UnsupportedDockerfileError:
    return UnsupportedDockerfileError(f"Dockerfile line {line}: {what} is not emulated: {reason}")
