"""What `sam build` and `sam package` do for a template, without installing anything.

Code folders become zips whose bytes depend on their content alone, and are uploaded under that content's hash.
A `requirements.txt` beside the code is checked against this interpreter, which is what functions run on here.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib.metadata
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from local_cloud.cloudformation.templates import parse

_CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Lambda::Function": "Code",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Lambda::LayerVersion": "Content",
}
_LAYERS = ("AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion")
_NESTED = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
_IGNORED_FOLDERS = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
_SafeLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times faster
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class PackagingError(RuntimeError):
    """A template whose code cannot be packaged; the message names the resource and the mend."""


def package(template_path: Path, project_dir: Path, s3_client: Any, bucket: str) -> str:
    """Upload what a template refers to on disk, and return the template (JSON) with its places in S3.

    Paths in a template are relative to it. Raises: PackagingError, TemplateError.
    """
    return _Packager(project_dir.resolve(), s3_client, bucket).package(template_path.resolve())


class _Packager:
    def __init__(self, project_dir: Path, s3_client: Any, bucket: str) -> None:
        self._project = project_dir
        self._s3 = s3_client
        self._bucket = bucket
        self._uploaded: set[str] = set()

    def package(self, template_path: Path) -> str:
        template = copy.deepcopy(parse(template_path.read_text()))
        defaults = ((template.get("Globals") or {}).get("Function") or {}).get("CodeUri")
        for logical_id, resource in template["Resources"].items():
            properties = resource.setdefault("Properties", {})
            kind = resource["Type"]
            if kind == "AWS::Serverless::Function" and "CodeUri" not in properties and defaults:
                properties["CodeUri"] = defaults
            if kind in _CODE:
                self._package_code(logical_id, resource, template_path.parent)
            elif kind in ("AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine"):
                self._package_definition(logical_id, resource, template_path.parent)
            elif kind in _NESTED:
                self._package_nested(logical_id, resource, template_path.parent)
        return json.dumps(template)

    def _package_code(self, logical_id: str, resource: dict[str, Any], base: Path) -> None:
        kind = resource["Type"]
        name = _CODE[kind]
        place = resource["Properties"].get(name)
        if not isinstance(place, str) or place.startswith("s3://"):
            return
        folder = self._inside(logical_id, base, place)
        if not folder.is_dir():
            raise PackagingError(f"{logical_id}: {name} {place} is not a folder")
        check_requirements(logical_id, folder)
        below = "python/" if kind in _LAYERS and _is_built(logical_id, resource) else ""
        key = self._upload(zip_folder(folder, below), ".zip")
        resource["Properties"][name] = _code_location(kind, self._bucket, key)

    def _package_definition(self, logical_id: str, resource: dict[str, Any], base: Path) -> None:
        properties = resource["Properties"]
        name = "DefinitionUri" if "Serverless" in resource["Type"] else "DefinitionS3Location"
        place = properties.get(name)
        if not isinstance(place, str) or place.startswith("s3://"):
            return
        path = self._inside(logical_id, base, place)
        if not path.is_file():
            raise PackagingError(f"{logical_id}: {name} {place} is not a file")
        definition = yaml.load(path.read_text(), _SafeLoader)  # noqa: S506  safe, see there
        key = self._upload(json.dumps(definition, sort_keys=False).encode(), ".json")
        properties[name] = {"Bucket": self._bucket, "Key": key}

    def _package_nested(self, logical_id: str, resource: dict[str, Any], base: Path) -> None:
        properties, name = resource["Properties"], _NESTED[resource["Type"]]
        place = properties.get(name)
        if not isinstance(place, str) or place.startswith(("s3://", "http://", "https://")):
            return
        path = self._inside(logical_id, base, place)
        if not path.is_file():
            raise PackagingError(f"{logical_id}: {name} {place} is not a file")
        key = self._upload(self.package(path).encode(), ".template")
        properties[name] = f"https://s3.amazonaws.com/{self._bucket}/{key}"

    def _inside(self, logical_id: str, base: Path, place: str) -> Path:
        path = (base / place).resolve()
        if not path.is_relative_to(self._project):
            raise PackagingError(f"{logical_id}: {place} is outside of the project {self._project.name}")
        return path

    def _upload(self, body: bytes, suffix: str) -> str:
        key = hashlib.sha256(body).hexdigest()[:32] + suffix
        if key in self._uploaded:
            return key
        try:
            self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        self._uploaded.add(key)
        return key


def zip_folder(folder: Path, below: str = "") -> bytes:
    """A folder as a zip, the same bytes for the same content; `below` is put before every name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for path in _files(folder):
            entry = zipfile.ZipInfo(below + path.relative_to(folder).as_posix(), _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            bundle.writestr(entry, path.read_bytes())
    return archive.getvalue()


def check_requirements(logical_id: str, folder: Path) -> None:
    """Refuse code whose requirements this interpreter does not have.

    Raises: PackagingError naming every one that is missing or of another version.
    """
    listing = folder / "requirements.txt"
    if not listing.is_file():
        return
    problems = [problem for line in listing.read_text().splitlines() if (problem := _problem(line))]
    if problems:
        raise PackagingError(
            f"{logical_id}: {listing.name} in {folder.name} asks for {'; '.join(problems)}. Install them: make setup"
        )


def _problem(line: str) -> str | None:
    text = line.split("#", 1)[0].strip()
    if not text or text.startswith("-"):
        return None
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        return f"{text}, which is no requirement ({error})"
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    try:
        installed = _installed_version(canonicalize_name(wanted.name))
    except importlib.metadata.PackageNotFoundError:
        return f"{text}, which is not installed"
    if not wanted.specifier.contains(installed, prereleases=True):
        return f"{text}, but {installed} is installed"
    return None


@functools.cache
def _installed_version(name: str) -> str:
    """Many layers ask for the same. Raises: PackageNotFoundError."""
    return importlib.metadata.version(name)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and path.suffix != ".pyc" and not _IGNORED_FOLDERS.intersection(parts):
            yield path


def _is_built(logical_id: str, resource: Mapping[str, Any]) -> bool:
    """Whether `sam build` would put the layer's content under `python/`."""
    method = (resource.get("Metadata") or {}).get("BuildMethod")
    if method is None:
        return False
    if not str(method).startswith("python"):
        raise PackagingError(f"{logical_id}: BuildMethod {method} is not emulated, only python3.*")
    return True


def _code_location(kind: str, bucket: str, key: str) -> Any:
    if kind == "AWS::Lambda::Function" or kind == "AWS::Lambda::LayerVersion":
        return {"S3Bucket": bucket, "S3Key": key}
    return f"s3://{bucket}/{key}"
