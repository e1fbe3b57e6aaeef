from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli import drop_manifest, exit_codes
from cli.errors import CommandError

MANIFEST = {"team": "vision", "dataset": {"name": "digits", "source": {"uri": "s3://${DataBucket}/d/"}}}


class FakeCloud:
    """A stack with one bucket that keeps what is put."""

    outputs = {"DataBucketName": "data-1"}  # noqa: RUF012

    def __init__(self) -> None:
        self.put: dict[str, str] = {}

    def output(self, name: str) -> str:
        return self.outputs[name]

    def client(self, _service: str) -> FakeCloud:
        return self

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str) -> dict[str, Any]:  # noqa: N803
        self.put[f"{Bucket}/{Key}"] = Body.decode()
        return {"VersionId": "version-1"}


def _drop(place: Path, text: str, **options: str) -> tuple[FakeCloud, Any]:
    path = place / "first.json"
    path.write_text(text)
    cloud = FakeCloud()
    return cloud, drop_manifest.put(cloud, path, **options)  # type: ignore[arg-type]


def test_a_manifest_goes_to_its_team_with_its_placeholders_expanded(tmp_path: Path) -> None:
    cloud, drop = _drop(tmp_path, json.dumps(MANIFEST))
    assert (drop.uri, drop.version_id) == ("s3://data-1/manifests/vision/first.json", "version-1")
    assert "s3://data-1/d/" in cloud.put["data-1/manifests/vision/first.json"]


def test_several_runs_go_to_the_batch_folder(tmp_path: Path) -> None:
    _, drop = _drop(tmp_path, json.dumps({"schema_version": 1, "runs": [MANIFEST, MANIFEST]}))
    assert drop.key == "manifests/_batch/first.json"
    assert len({run.run_id for run in drop.runs}) == 2


def test_a_named_team_takes_anything_so_that_the_cloud_judges_it(tmp_path: Path) -> None:
    cloud, drop = _drop(tmp_path, "{", folder="vision")
    assert cloud.put == {"data-1/manifests/vision/first.json": "{"}
    assert drop.runs[0].run_id is None


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"team": ""}', '{"team": "../../x"}', '{"team": "\\ud800"}', DEEP],
    ids=lambda text: text[:20],
)
def test_a_file_whose_place_cannot_be_told_is_refused_here(tmp_path: Path, text: str) -> None:
    with pytest.raises(CommandError) as raised:
        _drop(tmp_path, text)
    assert raised.value.exit_code == exit_codes.REFUSED
    assert "--team" in str(raised.value.next_step)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        drop_manifest.put(FakeCloud(), tmp_path / "no.json")  # type: ignore[arg-type]


def test_a_team_of_half_characters_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no Unicode text"):
        _drop(tmp_path, "{}", folder="\udcff")


def test_a_file_that_is_nested_too_deeply_is_the_clouds_to_refuse_under_a_named_team(tmp_path: Path) -> None:
    cloud, drop = _drop(tmp_path, DEEP, folder="vision")
    assert cloud.put["data-1/manifests/vision/first.json"] == DEEP
    assert drop.runs[0].run_id is None
