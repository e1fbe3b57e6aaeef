"""Strings of a definition as the JSON that they are.

moto's grammar hands over the text between the quotes, escapes and all: a variable that is assigned `"{\\"a\\":1}"`
would hold the backslashes. A state's name, a path and a literal are all JSON strings, so all are read as such.

Source: https://states-language.net/spec.html#data
"""

from __future__ import annotations

import json
from typing import Any

from moto.stepfunctions.parser.asl.antlr.runtime.ASLLexer import ASLLexer

from local_cloud.replacements import Replacement

_PREPROCESSOR = "moto.stepfunctions.parser.asl.parse.preprocessor"


def text_of(context: Any) -> str | None:
    """The value of a string in the parse tree, None for null."""
    symbol = getattr(context, "getSymbol", None)  # only the leaves of the tree have one
    if symbol is not None and symbol().type == ASLLexer.NULL:
        return None
    token: str = context.getText()
    if not (token.startswith('"') and token.endswith('"')):
        return token
    value: str = json.loads(token, strict=False)
    return value


def _string_of_context(parser_rule_context: Any) -> str | None:
    """`text_of` under the parameter's name that moto calls with."""
    return text_of(parser_rule_context)


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_PREPROCESSOR}:Preprocessor._inner_string_of",
        build=lambda _: staticmethod(_string_of_context),
        why="keeps the escapes of JSON strings in names, paths and error names",
    ),
    Replacement(
        target=f"{_PREPROCESSOR}:from_string_literal",
        build=lambda _: _string_of_context,
        why="reads JSON escapes as Python's, and leaves them all if one is unknown",
    ),
]
