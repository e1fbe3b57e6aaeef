"""The page of verdicts is that of the verdicts, and every replaced symbol of moto has a test."""

from __future__ import annotations

import pytest

from local_cloud.aws_clients import service_model
from local_cloud.coverage import SERVICES, SIGNING_NAMES
from local_cloud.coverage.page import PATH, ROOT, check_of, page, refused, replaced
from local_cloud.replacements import Replacement


def test_the_page_is_current() -> None:
    assert PATH.read_text() == page(), "write it anew: python -m local_cloud.coverage"


@pytest.mark.parametrize("service", SERVICES)
def test_verdicts_are_of_operations_that_there_are(service: str) -> None:
    model = service_model(service)
    assert set(SERVICES[service]) <= set(model.operation_names)
    assert SIGNING_NAMES.get(service, service) == model.signing_name


def test_everything_without_a_verdict_is_refused() -> None:
    assert "ListServiceJobs" in refused("batch")  # moto has it not
    assert "PutImage" in refused("ecr")  # moto has it
    assert "SubmitJob" not in refused("batch")


@pytest.mark.parametrize("replacement", replaced(), ids=lambda one: one.target)
def test_every_replacement_names_a_test_that_there_is(replacement: Replacement) -> None:
    assert (ROOT / check_of(replacement)).exists()
    assert f"| `{replacement.target}` | {replacement.why} | `{check_of(replacement)}` |" in PATH.read_text()


def test_a_replacement_without_a_test_is_named() -> None:
    def build(original: object) -> object:
        return original

    build.__module__ = "local_cloud.nobody.knows"
    with pytest.raises(KeyError, match=r"local_cloud\.nobody\.knows replaces moto:x"):
        check_of(Replacement(target="moto:x", build=build, why="no reason"))
