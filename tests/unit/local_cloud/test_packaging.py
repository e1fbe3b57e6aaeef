"""Packaging without installing."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_cloud.packaging import PackagingError, package, zip_folder


class Store:
    """The two S3 calls that packaging makes."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            reply: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(reply, "HeadObject")
        return {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.puts += 1
        self.objects[Key] = Body


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "code/__pycache__").mkdir(parents=True)
    (tmp_path / "code/app.py").write_text("x = 1\n")
    (tmp_path / "code/__pycache__/app.pyc").write_text("stale")
    return tmp_path


def write(project: Path, resource: str) -> Path:
    path = project / "template.yaml"
    path.write_text(f"Resources:\n  Thing: {resource}\n")
    return path


def test_a_zip_depends_on_content_alone(project: Path) -> None:
    first = zip_folder(project / "code")
    (project / "code/app.py").touch()
    assert zip_folder(project / "code") == first
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["app.py"]


def test_a_layer_with_a_build_method_gets_its_content_under_python(project: Path) -> None:
    store = Store()
    layer = "{Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.13}, Properties: {ContentUri: code}}"
    template = json.loads(package(write(project, layer), project, store, "b"))
    key = template["Resources"]["Thing"]["Properties"]["ContentUri"].removeprefix("s3://b/")
    assert zipfile.ZipFile(io.BytesIO(store.objects[key])).namelist() == ["python/app.py"]


def test_what_is_there_already_is_not_uploaded_again(project: Path) -> None:
    store = Store()
    path = write(project, "{Type: AWS::Serverless::Function, Properties: {CodeUri: code}}")
    assert package(path, project, store, "b") == package(path, project, store, "b")
    assert store.puts == 1


def test_a_definition_in_yaml_is_uploaded_as_json(project: Path) -> None:
    store = Store()
    (project / "m.asl.yaml").write_text("StartAt: A\nStates: {A: {Type: Succeed}}\n")
    path = write(project, "{Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: m.asl.yaml}}")
    template = json.loads(package(path, project, store, "b"))
    place = template["Resources"]["Thing"]["Properties"]["DefinitionUri"]
    assert json.loads(store.objects[place["Key"]]) == {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("surely-not-installed==1.0", "surely-not-installed==1.0, which is not installed"),
        ("boto3<1", "boto3<1, but "),
        ("=bad=", "which is no requirement"),
    ],
)
def test_a_requirement_this_interpreter_does_not_meet_is_an_error(project: Path, line: str, problem: str) -> None:
    (project / "code/requirements.txt").write_text(f"# pinned\nboto3>=1\n{line}\npywin32; sys_platform == 'win32'\n")
    path = write(project, "{Type: AWS::Serverless::Function, Properties: {CodeUri: code}}")
    with pytest.raises(PackagingError, match=f"Thing: requirements.txt in code asks for .*{problem}"):
        package(path, project, Store(), "b")


@pytest.mark.parametrize(
    "resource",
    [
        "{Type: AWS::Serverless::Function, Properties: {CodeUri: nowhere}}",
        "{Type: AWS::Serverless::Function, Properties: {CodeUri: ../..}}",
        "{Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nowhere.yaml}}",
        "{Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: makefile}, Properties: {ContentUri: code}}",
    ],
)
def test_what_cannot_be_packaged_is_an_error(project: Path, resource: str) -> None:
    with pytest.raises(PackagingError, match="Thing"):
        package(write(project, resource), project, Store(), "b")
