"""JSONata read, not run: its syntax, and the tree that `inference` walks.

Source: https://docs.jsonata.org and https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from jsonata import Jsonata
from jsonata.jexception import JException

Node = Any
"""A symbol of jsonata-python's parser: `type`, `value`, and its parts by name."""

AWS_FUNCTIONS = frozenset({"partition", "range", "hash", "random", "uuid", "parse"})
REFUSED_FUNCTIONS = frozenset({"eval"})
FUNCTIONS = (frozenset(Jsonata.static_frame.bindings) | AWS_FUNCTIONS) - REFUSED_FUNCTIONS
"""JSONata's own functions, and those that Step Functions adds."""

_NEWER = re.compile(r"\?\?|\?:")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|/\*.*?\*/", re.DOTALL)


class ExpressionError(Exception):
    """An expression that cannot be parsed; the message says why."""


@lru_cache(maxsize=4096)
def parse(expression: str) -> Node:
    """The syntax tree. Raises: ExpressionError."""
    if newer := _NEWER.search(_QUOTED.sub("''", expression)):
        raise ExpressionError(f"{newer[0]} is newer than the JSONata of Step Functions (2.0)")
    try:
        return Jsonata(expression).ast
    except (JException, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ExpressionError(str(error) or type(error).__name__) from error
