from __future__ import annotations

import pytest

from cli.check import documents

TEXT = """\
# a comment
Resources:
  Table:
    Ref: !Ref Name
    Arn: !GetAtt Table.Arn
    Text: !Sub "${A}"
    List:
      - one
      - {two: 2}
  Table2: >-
    folded
"""


def test_values_are_plain_and_short_forms_long() -> None:
    table = documents.parse(TEXT, "t.yaml").value["Resources"]["Table"]
    assert table["Ref"] == {"Ref": "Name"}
    assert table["Arn"] == {"Fn::GetAtt": ["Table", "Arn"]}
    assert table["Text"] == {"Fn::Sub": "${A}"}
    assert table["List"] == ["one", {"two": 2}]


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ((), 2),
        (("Resources", "Table"), 3),
        (("Resources", "Table", "List", 1, "two"), 9),
        (("Resources", "Table", "List", 1, "two", "absent"), 9),
        (("Resources", "Table2"), 10),
    ],
)
def test_a_value_knows_its_line_and_an_absent_one_its_holders(steps: documents.Steps, line: int) -> None:
    assert documents.parse(TEXT, "t.yaml").line(steps) == line


def test_a_key_given_twice_is_kept_in_mind() -> None:
    assert documents.parse("a: 1\nb: {c: 1, c: 2}\n", "t.yaml").repeated == (("b", "c"),)


def test_what_is_no_yaml_is_refused_by_name_and_line() -> None:
    with pytest.raises(documents.DocumentError, match=r"(?s)t.yaml is no YAML.*line \d"):
        documents.parse("a: 1\nb: [\n", "t.yaml")
