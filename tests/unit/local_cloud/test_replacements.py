"""The table of replaced symbols."""

from __future__ import annotations

import pytest

from local_cloud.accounts import access_key_id, account_of
from local_cloud.replacements import MotoChangedError, Replacement, install


def test_a_symbol_that_moto_does_not_have_is_named_before_anything_is_replaced() -> None:
    entries = [
        Replacement("json:dumps", lambda original: pytest.fail("was replaced"), "a test"),
        Replacement("moto.s3.models:NoSuchThing.method", lambda original: original, "a test"),
    ]
    with pytest.raises(MotoChangedError, match=r"moto\.s3\.models:NoSuchThing\.method"):
        install(entries)


def test_an_access_key_names_its_account() -> None:
    assert account_of(access_key_id("210987654321")) == "210987654321"
    assert len(access_key_id("210987654321")) == 20
    assert account_of("AKIAIOSFODNN7EXAMPLE") is None
