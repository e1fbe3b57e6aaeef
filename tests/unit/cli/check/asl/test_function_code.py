"""What a function's code says, read from small packages written for the purpose."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from cli.check.asl.function_code import CodeReader, FunctionCode
from cli.check.templates import Function

LAYER = {
    "lib/errors.py": """
        class LibError(Exception): ...
        class MissingError(LibError): ...
        class LateError(LibError): ...
        class CaughtError(LibError): ...
        class OfSubclassError(MissingError): ...
        class NeverReachedError(LibError): ...
    """,
    "lib/store.py": """
        from lib.errors import LateError, CaughtError, NeverReachedError
        class Store:
            def read(self):
                try:
                    return {"answer_key": 1}
                except CaughtError:
                    raise LateError("later")
        class OtherStore:
            def read(self):
                raise NeverReachedError()
    """,
    "lib/wiring.py": """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from lib.errors import NeverReachedError
        def work() -> NeverReachedError:
            from lib.store import Store
            from lib.usecase import Work
            return Work(Store())
        def other():
            from lib.store import OtherStore
            return OtherStore()
    """,
    "lib/usecase.py": """
        from lib import errors
        from lib.models import Request
        _BY_CODE = {65: errors.OfSubclassError}
        class Work:
            def __init__(self, store): self.store = store
            def __call__(self, request: Request):
                if isinstance(request, errors.NeverReachedError):
                    raise _made()
                return self.store.read()
        def _made():
            return _BY_CODE.get(1, errors.MissingError)("why")
    """,
    "lib/models.py": """
        from pydantic import BaseModel, Field
        class Base(BaseModel):
            run_id: str
            count: int = 0
        class Request(Base):
            team: str = Field(min_length=1)
            source: str | None = None
            names: list[str] = Field(default_factory=list)
            other: "Anything"
            at: str = Field(alias="At")
    """,
}
HANDLER = """
    from lib import wiring
    from lib.models import Request
    def handler(event, context):
        request = Request.model_validate(event)
        return wiring.work()(request)
"""


def _read(tmp_path: Path, handler: str) -> FunctionCode | None:
    for name, text in {**{f"layer/{name}": text for name, text in LAYER.items()}, "function/app.py": handler}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    return CodeReader((tmp_path / "layer",)).read(Function("F", tmp_path / "function", "app.handler", 60))


@pytest.fixture
def code(tmp_path: Path) -> FunctionCode:
    found = _read(tmp_path, HANDLER)
    assert found is not None
    return found


def test_errors_are_those_of_the_code_that_is_reached(code: FunctionCode) -> None:
    assert code.own_errors == {"MissingError", "LateError", "OfSubclassError"}


def test_errors_of_the_packages_it_uses_and_of_python_can_come_too(code: FunctionCode) -> None:
    assert {"ValidationError", "KeyError", "Runtime.ExitError"} <= code.errors
    assert "ClientError" not in code.errors  # nothing that is reached imports boto3


def test_replies_have_the_names_that_the_code_has(code: FunctionCode) -> None:
    assert {"answer_key", "run_id", "team"} <= code.names
    assert "answer_kye" not in code.names


def test_a_payload_is_what_the_model_says(code: FunctionCode) -> None:
    assert code.payload is not None
    assert code.payload.required == {"run_id", "team", "other", "At"}
    assert set(code.payload.kinds) == {"run_id", "count", "team", "source", "names", "other", "At"}
    assert code.payload.kinds["source"] == {"string", "null"}
    assert code.payload.kinds["other"] == frozenset()  # of a type that is not known, nothing is asked


def test_a_payload_may_be_the_keys_that_the_handler_asks_for(tmp_path: Path) -> None:
    code = _read(tmp_path, 'def handler(event, context):\n    return event["one"] + event["two"]\n')
    assert code is not None and code.payload is not None
    assert code.payload.required == {"one", "two"}


def test_a_handler_that_is_not_there_is_not_guessed_at(tmp_path: Path) -> None:
    assert _read(tmp_path, "def other(event, context): ...") is None
