"""Lays an image's COPYs out as a folder, named by its content and compiled, so that it is made once.

Every container then gets a copy of its own, as its writable layer would be: what a job writes, no other job sees.
Absolute paths of the container live below that copy. A job sees these files and installed packages, nothing else of
the checkout; a Dockerfile or a link that reaches out of the project or the context is refused.
"""

from __future__ import annotations

import compileall
import fnmatch
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from local_cloud import image_sources, settings
from local_cloud.images import dockerfile, requirements

_URI = re.compile(
    r"(?:(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com(?:\.cn)?/)"
    r"(?P<repository>[\w./-]+?)(?::(?P<tag>[\w.-]+)|@(?P<digest>sha256:\w+))?"
)
_ALWAYS_IGNORED = ("**/__pycache__", "**/*.pyc")
_building = threading.Lock()


class ImageError(RuntimeError):
    """An image cannot be turned into files. Batch calls this CannotPullContainerError."""


class OutsideError(ValueError):
    """A path leaves the folder that Docker would not let it leave."""


@dataclass(frozen=True)
class Image:
    """An image as a process needs it. `root` stands for `/` of the container."""

    uri: str
    root: Path
    workdir: str
    environment: dict[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]

    def path(self, absolute: str) -> Path:
        """Where an absolute path of the container lies on this machine."""
        return self.root / absolute.lstrip("/")

    def copied_to(self, folder: Path) -> Image:
        """The image with a writable root of its own, which is `folder` and must not exist yet."""
        _copy_root(self.root, folder)
        # Docker makes the working directory, even where no COPY puts anything into it.
        (folder / self.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
        return replace(self, root=folder)


def repository_of(uri: str) -> str:
    """The ECR repository an image URI names.

    Raises: ImageError for an image of another registry, which cannot be found without Docker.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise ImageError(
            f"image {uri} is not emulated: only ECR repositories of a deployed template are, whose Metadata "
            "{Dockerfile, DockerContext} says what is in them"
        )
    return match["repository"]


def build(uri: str) -> Image:
    """The image of a URI, laid out; made anew when its Dockerfile or a copied file has changed.

    Its root is shared: `copied_to` makes one that a container may write to.

    Raises: ImageError naming what is missing or not emulated.
    """
    repository = repository_of(uri)
    source = image_sources.lookup(repository)
    if source is None:
        raise ImageError(f"image {uri}: no deployed template says where the repository {repository} is built from")
    try:
        context = _inside_project("DockerContext", source.context)
        path = _inside_project("Dockerfile", source.dockerfile)
        if not path.is_file():
            raise FileNotFoundError("the Dockerfile does not exist")
        parsed = dockerfile.parse(path.read_text())
        files = _files(parsed, context)
        _check_installs(parsed, files, repository)
        root = _materialise(files)
    except (
        dockerfile.UnsupportedDockerfileError,
        requirements.RequirementMissingError,
        OutsideError,
        OSError,
    ) as error:
        raise ImageError(f"image {uri} ({source.dockerfile}): {error}") from error
    return Image(uri, root, parsed.workdir, parsed.environment, parsed.entrypoint, parsed.command)


def _inside_project(name: str, relative: str) -> Path:
    project = settings.current().project_dir.resolve()
    path = (project / relative).resolve()
    if not path.is_relative_to(project):
        raise OutsideError(f"{name} {relative} is outside of the project {project.name}")
    return path


def _files(parsed: dockerfile.Dockerfile, context: Path) -> dict[str, Path]:
    """Every file of the image: absolute path in the container to the file in the context. A later COPY wins."""
    ignored = _ignore_patterns(context)
    files: dict[str, Path] = {}
    for copy in parsed.copies:
        for pattern in copy.sources:
            for source in _matches(context, pattern):
                files.update(_copied(source, copy, context, ignored))
    return files


def _matches(context: Path, pattern: str) -> list[Path]:
    relative = pattern.lstrip("/")
    if relative in ("", "."):
        return [context]
    if ".." in Path(relative).parts:
        raise OutsideError(f"COPY {pattern}: no such file in the context {context.name}, and .. is not followed")
    found = sorted(context.glob(relative))
    if not found:
        raise FileNotFoundError(f"COPY {pattern}: no such file in the context {context.name}")
    return found


def _copied(source: Path, copy: dockerfile.Copy, context: Path, ignored: list[str]) -> dict[str, Path]:
    _refuse_to_leave(source, context)
    if source.is_dir():
        below = [path for path in sorted(source.rglob("*")) if not _is_ignored(path.relative_to(context), ignored)]
        for path in below:
            _refuse_to_leave(path, context)
        destination = copy.destination.rstrip("/")
        return {f"{destination}/{path.relative_to(source)}": path for path in below if path.is_file()}
    if _is_ignored(source.relative_to(context), ignored):
        raise FileNotFoundError(f"COPY {source.name}: .dockerignore leaves it out")
    destination = f"{copy.destination}{source.name}" if copy.destination.endswith("/") else copy.destination
    return {destination: source}


def _refuse_to_leave(path: Path, context: Path) -> None:
    if not path.resolve().is_relative_to(context):
        raise OutsideError(f"{path.relative_to(context)} is a link out of the context {context.name}")


def _ignore_patterns(context: Path) -> list[str]:
    path = context / ".dockerignore"
    written = path.read_text().splitlines() if path.is_file() else []
    return [*_ALWAYS_IGNORED, *(line.strip() for line in written if line.strip() and not line.startswith("#"))]


def _is_ignored(relative: Path, patterns: list[str]) -> bool:
    """The last pattern that matches the path or a folder above it decides; `!` takes it back in."""
    names = [relative.as_posix(), *(parent.as_posix() for parent in relative.parents if parent != Path())]
    ignored = False
    for pattern in patterns:
        keep = pattern.startswith("!")
        plain = pattern.lstrip("!").strip("/")
        shapes = (plain, plain.removeprefix("**/")) if plain.startswith("**/") else (plain,)
        if any(fnmatch.fnmatch(name, shape) for name in names for shape in shapes):
            ignored = not keep
    return ignored


def _check_installs(parsed: dockerfile.Dockerfile, files: dict[str, Path], repository: str) -> None:
    wanted: list[str] = []
    for install in parsed.installs:
        wanted += install.requirements
        for path in install.files:
            if path not in files:
                raise FileNotFoundError(f"line {install.line}: pip install -r {path}: no COPY put it there")
            wanted += requirements.in_file(files[path].read_text())
    requirements.check(wanted, repository)


def _materialise(files: dict[str, Path]) -> Path:
    contents = {destination: hashlib.sha256(path.read_bytes()).hexdigest() for destination, path in files.items()}
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
    root = settings.current().state_dir / "images" / digest
    with _building:
        if not root.exists():
            root.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=root.parent, prefix="draft-"))
            for destination, path in files.items():
                target = draft / destination.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
            # Once here, else every copy would compile its modules again. What does not compile fails in the job.
            compileall.compile_dir(draft, quiet=2)
            _protect(draft)
            draft.rename(root)
    return root


def _protect(root: Path) -> None:
    """Make the files read-only. Folders stay as they are: the owner must be able to remove a state directory."""
    for path in root.rglob("*"):
        if path.is_file():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


def _copy_root(root: Path, folder: Path) -> None:
    """Copy files with their times, by which Python knows that their compiled modules are still good."""
    folder.mkdir(parents=True)
    for path in sorted(root.rglob("*")):
        target = folder / path.relative_to(root)
        if path.is_dir():
            target.mkdir()
        else:
            shutil.copy2(path, target)
            target.chmod(stat.S_IMODE(target.stat().st_mode) | stat.S_IWUSR)
