"""Intrinsic functions."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.cloudformation.errors import TemplateError
from local_cloud.cloudformation.intrinsics import Resolver, Scope, references


def missing(name: str) -> str:
    raise TemplateError(f"Unresolved resource dependencies [{name}]")


def resolver(template: dict[str, Any] | None = None, **parameters: Any) -> Resolver:
    return Resolver(
        Scope(
            template=template or {},
            parameters=parameters,
            pseudo={"AWS::Region": "us-east-1"},
            ref=lambda name: {"Bucket": "bucket-1"}.get(name) or missing(name),
            attribute=lambda name, attribute: f"{name}/{attribute}",
            read_parameter=lambda name: f"value of {name}",
            import_value=lambda name: f"export {name}",
        )
    )


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Ref": "Bucket"}, "bucket-1"),
        ({"Ref": "Team"}, "vision"),
        ({"Fn::GetAtt": ["Child", "Outputs.Name"]}, "Child/Outputs.Name"),
        ({"Fn::GetAtt": "Child.Outputs.Name"}, "Child/Outputs.Name"),
        ({"Fn::Sub": "${Team}/${!Literal}/${Bucket.Arn}/${AWS::Region}"}, "vision/${Literal}/Bucket/Arn/us-east-1"),
        ({"Fn::Sub": ["${X}-${Team}", {"X": {"Ref": "Bucket"}}]}, "bucket-1-vision"),
        ({"Fn::Join": [",", ["a", {"Ref": "Team"}, {"Ref": "AWS::NoValue"}]]}, "a,vision"),
        ({"Fn::Join": ["-", {"Ref": "Names"}]}, "a-b"),
        ({"Fn::Select": ["1", {"Fn::Split": ["/", "x/y"]}]}, "y"),
        ({"Fn::If": ["Small", 1, 2]}, 1),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Team"}, "gpus"]}, 8),
        ({"Fn::Base64": "x"}, "eA=="),
        ({"Fn::ToJsonString": {"a": {"Ref": "Team"}}}, '{"a": "vision"}'),
        ({"Fn::Length": {"Ref": "Names"}}, 2),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::ImportValue": "e"}, "export e"),
        ("{{resolve:ssm:/a/b}}!", "value of /a/b!"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": False}}}, None),
    ],
)
def test_values(node: Any, value: Any) -> None:
    template = {
        "Conditions": {"Small": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Team"}, "big"]}]}},
        "Mappings": {"Sizes": {"vision": {"gpus": 8}}},
    }
    found = resolver(template, Team="vision", Names=["a", "b"]).resolve(node)
    assert found == (node if value is None else value)


@pytest.mark.parametrize(
    "node",
    [
        {"Ref": "Nobody"},
        {"Fn::Sub": "${Nobody}"},
        {"Fn::Transform": {"Name": "AWS::Include"}},
        {"Fn::Select": [5, ["a"]]},
        {"Fn::FindInMap": ["No", "such", "map"]},
        {"Fn::If": ["NoCondition", 1, 2]},
        "{{resolve:secretsmanager:x}}",
    ],
)
def test_nothing_unknown_is_left_in_the_result(node: Any) -> None:
    with pytest.raises(TemplateError):
        resolver().resolve(node)


def test_references_are_found_wherever_they_stand() -> None:
    node = {
        "A": {"Ref": "One"},
        "B": [{"Fn::GetAtt": ["Two", "Arn"]}, {"Fn::Sub": ["${Three.Arn}${Own}${!No}", {"Own": {"Ref": "Four"}}]}],
        "C": {"Fn::If": ["Condition", {"Ref": "Five"}, {"Fn::Join": ["", [{"Ref": "Six"}]]}]},
    }
    assert set(references(node)) == {"One", "Two", "Three", "Four", "Five", "Six"}
