"""How stacks look in replies."""

from __future__ import annotations

import json

import pytest

from local_cloud.cloudformation.descriptions import shown_template

HERE = "http://127.0.0.1:4566/bucket/key.template"
ON_AWS = "https://s3.eu-west-1.amazonaws.com/bucket/key.template"


@pytest.mark.parametrize("written", ["TemplateURL: {}", 'TemplateURL: "{}"', json.dumps({"TemplateURL": "{}"})])
def test_a_nested_template_is_where_it_would_be_on_aws(written: str) -> None:
    assert shown_template(written.replace("{}", HERE), "eu-west-1") == written.replace("{}", ON_AWS)


def test_other_addresses_stay_as_they_are_written() -> None:
    text = f"Endpoint: {HERE}\nTemplateURL: https://s3.amazonaws.com/bucket/key.template\n"
    assert shown_template(text, "eu-west-1") == text
