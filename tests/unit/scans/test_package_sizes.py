"""What `sam build` leaves is added up as Lambda does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scans import package_sizes

TEMPLATE = """
Globals: {Function: {Layers: [!Ref CoreLayer]}}
Resources:
  CoreLayer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: CoreLayer}}
  DvcLayer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: DvcLayer}}
  Small: {Type: AWS::Serverless::Function, Properties: {CodeUri: Small}}
  Large: {Type: AWS::Serverless::Function, Properties: {CodeUri: Large, Layers: [!Ref DvcLayer]}}
  Prediction: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: Prediction/template.yaml}}
"""
NESTED = "Resources: {Inner: {Type: AWS::Serverless::Function, Properties: {CodeUri: ../Small}}}"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    for folder, size in {"CoreLayer/python": 1000, "DvcLayer/python": 300, "Small": 7, "Large": 20}.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_bytes(b"x" * size)
    (tmp_path / "Prediction").mkdir()
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "Prediction/template.yaml").write_text(NESTED)
    return tmp_path


def test_a_function_weighs_its_code_and_all_its_layers(build: Path) -> None:
    found = {size.function: size for size in package_sizes.sizes(build / "template.yaml")}
    assert {name: (size.code, size.total) for name, size in found.items()} == {
        "Small": (7, 1007),
        "Large": (20, 1320),
        "Inner": (7, 7),
    }
    assert found["Large"].layers == {"CoreLayer": 1000, "DvcLayer": 300}


def test_a_function_that_is_too_large_is_named(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_sizes, "MOST_BYTES", 1319)
    monkeypatch.setattr(sys, "argv", ["package_sizes", str(build)])
    with pytest.raises(SystemExit, match="MB: Large\nnext:"):
        package_sizes.main()


def test_what_was_not_built_is_named(tmp_path: Path, build: Path) -> None:
    with pytest.raises(package_sizes.NotBuiltError, match="is not there"):
        list(package_sizes.sizes(tmp_path / "nowhere/template.yaml"))
    (build / "template.yaml").write_text(TEMPLATE.replace("ContentUri: DvcLayer", "ContentUri: ../layers"))
    with pytest.raises(package_sizes.NotBuiltError, match=r"DvcLayer: \.\./layers is not there"):
        list(package_sizes.sizes(build / "template.yaml"))
