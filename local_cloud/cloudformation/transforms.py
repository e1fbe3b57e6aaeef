"""Expands what SAM writes into CloudFormation's own types, with AWS's translator.

Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from moto.iam.models import iam_backends
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException as PublicInvalidDocumentException
from samtranslator.translator.translator import Translator
from samtranslator.utils.py27hash_fix import to_py27_compatible_template, undo_mark_unicode_str_in_template

from local_cloud import aws_clients
from local_cloud.cloudformation.errors import TemplateError

SAM = "AWS::Serverless-2016-10-31"


def expand(template: dict[str, Any], parameters: Mapping[str, Any], account: str) -> dict[str, Any]:
    """Run the template's transform.

    Raises: TemplateError for SAM mistakes and for other transforms.
    """
    declared = template.get("Transform") or []
    names = declared if isinstance(declared, list) else [declared]
    if unknown := [name for name in names if name != SAM]:
        raise TemplateError(f"Transform {unknown[0]} is not emulated")
    if not names:
        return template
    try:
        expanded = _translated(copy.deepcopy(template), dict(parameters), account)
    except (InvalidDocumentException, PublicInvalidDocumentException) as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"Transform {SAM} failed with: {error.message} {causes}") from error
    expanded.pop("Transform", None)
    return expanded


def _translated(template: dict[str, Any], parameters: dict[str, Any], account: str) -> dict[str, Any]:
    """What `samtranslator.translator.transform.transform` does, without a boto3 session that is made for each."""
    to_py27_compatible_template(template, parameters)
    expanded = Translator(None, Parser(), boto_session=aws_clients.own_session()).translate(
        template,
        parameter_values=parameters,
        passthrough_metadata=True,
        get_managed_policy_map=lambda: _managed_policies(account),
    )
    restored: dict[str, Any] = undo_mark_unicode_str_in_template(expanded)
    return restored


def _managed_policies(account: str) -> dict[str, str]:
    """AWS's managed policies by name, which SAM templates may use."""
    policies = iam_backends[account]["aws"].managed_policies.values()
    return {policy.name: policy.arn for policy in policies}
