from __future__ import annotations

import pytest

from cli import exit_codes
from cli.errors import CommandError
from cli.placeholders import expand

OUTPUTS = {"DataBucketName": "data-1", "JobQueueArn": "arn:queue"}


def test_a_placeholder_is_an_output_with_or_without_name() -> None:
    text = "s3://${DataBucket}/x and ${JobQueueArn} and ${DataBucketName}"
    assert expand(text, OUTPUTS, place="f") == "s3://data-1/x and arn:queue and data-1"


def test_other_dollars_stay() -> None:
    assert expand("$HOME ${1} $${}", OUTPUTS, place="f") == "$HOME ${1} $${}"


def test_an_unknown_placeholder_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CommandError) as raised:
        expand("${DataBuckt}", OUTPUTS, place="vision.json")
    assert raised.value.exit_code == exit_codes.REFUSED
    assert raised.value.place == "vision.json"
    assert "DataBucket" in str(raised.value.next_step)
