"""The container stop timeout, read out of a launch template's user data."""

from __future__ import annotations

import base64

import pytest

from local_cloud.batch.user_data import stop_timeout_s

MIME = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==B=="

--==B==
Content-Type: text/cloud-config; charset="us-ascii"

write_files: []

--==B==
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/sh
cat >> /etc/ecs/ecs.config <<END
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
ECS_CONTAINER_STOP_TIMEOUT=115s
END

--==B==--
"""


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_part_of_a_mime_archive_sets_it() -> None:
    assert stop_timeout_s(encoded(MIME)) == 115


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("echo ECS_CONTAINER_STOP_TIMEOUT=110s >> /etc/ecs/ecs.config", 110),
        ('echo "ECS_CONTAINER_STOP_TIMEOUT=2m" >> /etc/ecs/ecs.config', 120),
        ("ECS_CONTAINER_STOP_TIMEOUT=1m50s", 110),
        ("ECS_CONTAINER_STOP_TIMEOUT=1500ms", 1.5),
        ("ECS_CONTAINER_STOP_TIMEOUT=48h", 600),
        ("ECS_CONTAINER_STOP_TIMEOUT=10s\nECS_CONTAINER_STOP_TIMEOUT=20s", 20),
    ],
)
def test_as_the_agent_reads_durations_and_bounded(line: str, seconds: float) -> None:
    assert stop_timeout_s(encoded(f"#!/bin/sh\n{line}\n")) == seconds


@pytest.mark.parametrize("line", ["", "ECS_CONTAINER_STOP_TIMEOUT=110", "ECS_CONTAINER_STOP_TIMEOUT=1ms", "# X=1s"])
def test_anything_else_is_the_agents_default(line: str) -> None:
    assert stop_timeout_s(encoded(line)) == 30


def test_a_comment_sets_nothing() -> None:
    assert stop_timeout_s(encoded("# ECS_CONTAINER_STOP_TIMEOUT=110s")) == 30


def test_no_user_data_is_the_default_and_no_base64_is_refused() -> None:
    assert stop_timeout_s(None) == 30
    with pytest.raises(ValueError, match="base64"):
        stop_timeout_s("#!/bin/sh")
