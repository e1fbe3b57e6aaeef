"""Reading templates and their parameters."""

from __future__ import annotations

import pytest

from local_cloud.cloudformation.errors import TemplateError, UnsupportedPropertyError
from local_cloud.cloudformation.parameters import resolve
from local_cloud.cloudformation.shapes import to_request
from local_cloud.cloudformation.templates import parse
from local_cloud.cloudformation.transforms import expand


def test_short_intrinsics_and_dates_are_read_as_cloudformation_reads_them() -> None:
    template = parse(
        "Resources:\n  A:\n    Version: 2012-10-17\n    Arn: !GetAtt B.Outputs.Name\n    X: !Sub '${C}'\n"
        "    Y: !If [Z, !Ref D, [!Ref E]]\n    W: !Condition F\n"
    )
    assert template["Resources"]["A"] == {
        "Version": "2012-10-17",
        "Arn": {"Fn::GetAtt": ["B", "Outputs.Name"]},
        "X": {"Fn::Sub": "${C}"},
        "Y": {"Fn::If": ["Z", {"Ref": "D"}, [{"Ref": "E"}]]},
        "W": {"Condition": "F"},
    }


@pytest.mark.parametrize("text", ["", "[]", "Resources: {}", "Resources: {A: {}}\nResorces: {}", "{", "a: [b"])
def test_a_text_that_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse(text)


def test_a_transform_that_is_not_sam_is_refused() -> None:
    with pytest.raises(TemplateError, match="AWS::LanguageExtensions is not emulated"):
        expand({"Transform": "AWS::LanguageExtensions", "Resources": {"A": {}}}, {}, "123456789012")


def test_parameters_get_their_defaults_and_types() -> None:
    declared = {
        "Names": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Empty": {"Type": "CommaDelimitedList", "Default": ""},
        "Count": {"Type": "Number", "Default": 3},
        "Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/ami"},
    }
    values = resolve({"Parameters": declared}, {"Count": "5"}, lambda name: f"read {name}")
    assert values == {"Names": ["a", "b"], "Empty": [], "Count": "5", "Image": "read /ami"}


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        ({"Type": "String"}, {}),
        ({"Type": "String", "Default": "x"}, {"Other": "y"}),
        ({"Type": "String", "AllowedValues": ["a"]}, {"P": "b"}),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, {"P": "A"}),
        ({"Type": "Number"}, {"P": "many"}),
        ({"Type": "Number", "MinValue": 60}, {"P": "59"}),
        ({"Type": "Number", "MaxValue": 60}, {"P": "61"}),
        ({"Type": "String", "MinLength": 2}, {"P": "a"}),
    ],
)
def test_a_parameter_that_breaks_its_rules_is_refused(spec: dict[str, object], given: dict[str, str]) -> None:
    with pytest.raises(TemplateError):
        resolve({"Parameters": {"P": spec}}, given, str)


def test_properties_become_the_apis_parameters_of_the_apis_types() -> None:
    properties = {
        "JobQueueName": "q",
        "Priority": "10",
        "ComputeEnvironmentOrder": [{"Order": "1", "ComputeEnvironment": "e"}],
    }
    assert to_request("batch", "CreateJobQueue", properties, "AWS::Batch::JobQueue") == {
        "jobQueueName": "q",
        "priority": 10,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "e"}],
    }


def test_a_property_the_api_does_not_have_is_refused_with_its_path() -> None:
    with pytest.raises(UnsupportedPropertyError, match=r"ComputeEnvironmentOrder\[\].Oder is not emulated"):
        to_request("batch", "CreateJobQueue", {"ComputeEnvironmentOrder": [{"Oder": 1}]}, "AWS::Batch::JobQueue")
