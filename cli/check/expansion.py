"""A template as AWS gets it: packaged, and SAM's transform run, which adds roles and permissions that nobody wrote."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

_REGION = "us-east-1"
_PACKAGED: Mapping[str, tuple[str, Any]] = {
    "AWS::Serverless::Function": ("CodeUri", "s3://packaged/code"),
    "AWS::Serverless::LayerVersion": ("ContentUri", "s3://packaged/layer"),
    "AWS::Serverless::StateMachine": ("DefinitionUri", {"Bucket": "packaged", "Key": "definition"}),
}
"""Where `sam package` leaves what a resource is made of: the transform refuses a path of this machine."""


def expanded(written: Mapping[str, Any]) -> dict[str, Any]:
    """A template without its transform; the one that was written stays as it is."""
    template = copy.deepcopy(dict(written))
    if "Transform" not in template:
        return template
    for resource in template["Resources"].values():
        if resource["Type"] in _PACKAGED:
            name, place = _PACKAGED[resource["Type"]]
            resource["Properties"][name] = place
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it tells of metrics that it sends nowhere
    # Not `transform`, which asks the caller's profile for a Region. No policy is given by name: SAM's own two are ARNs.
    translator = Translator({}, Parser(), boto_session=boto3.session.Session(region_name=_REGION))
    made: dict[str, Any] = translator.translate(template, {}, passthrough_metadata=True)
    made.pop("Transform", None)
    return made
