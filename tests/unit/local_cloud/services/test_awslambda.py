"""Where a function's environment lives: below the state directory, whatever the function is called."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud import settings
from local_cloud.services import awslambda


def test_a_function_name_reaches_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_current", settings.CloudSettings(tmp_path, tmp_path, 1))
    archive = io.BytesIO()
    zipfile.ZipFile(archive, "w").close()
    function: Any = SimpleNamespace(
        function_name="../../../victim",
        function_arn="arn:aws:lambda:us-east-1:123456789012:function:../../../victim",
        role="arn:aws:iam::123456789012:role/r",
        account_id="123456789012",
        region="us-east-1",
        layers=[],
        code_bytes=archive.getvalue(),
        handler="app.handler",
        run_time="python3.13",
        memory_size=128,
        version="1",
        logging_config=None,
        environment_vars=None,
    )
    scratch = awslambda._launch(function, "stream").scratch
    assert scratch.parent == tmp_path / "lambda" / "environments"
    assert "victim" not in str(scratch)
