from __future__ import annotations

from pathlib import Path

import pytest

from local_cloud import settings
from local_cloud.images import container


def test_a_container_is_given_no_region_because_aws_batch_gives_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = settings.CloudSettings(state_dir=tmp_path, project_dir=tmp_path, port=5000)
    monkeypatch.setattr(settings, "_current", cloud)
    given = container.aws_variables(cloud.access_key())
    assert given["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5000"
    assert not {"AWS_REGION", "AWS_DEFAULT_REGION"} & set(given)
