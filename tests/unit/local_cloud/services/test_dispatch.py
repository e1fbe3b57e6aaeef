"""Each service model is read once, and moto gets what its own loader would give it."""

from __future__ import annotations

import pytest
from botocore.exceptions import UnknownServiceError
from moto.core.loaders import create_loader, moto_root

from local_cloud.aws_clients import service_models
from local_cloud.services.dispatch import SharingLoader


@pytest.fixture
def loader() -> SharingLoader:
    return SharingLoader(extra_search_paths=[moto_root])


def test_a_model_that_moto_takes_as_it_is_is_that_of_the_clients(loader: SharingLoader) -> None:
    model = loader.load_service_model("sts", "service-2")
    assert model is service_models().load_service_model("sts", "service-2")
    assert model == create_loader().load_service_model("sts", "service-2")


@pytest.mark.parametrize("service", ["sqs", "neptune"])
def test_a_model_that_moto_or_botocore_adds_to_is_moto_s(loader: SharingLoader, service: str) -> None:
    model = loader.load_service_model(service, "service-2")
    assert model == create_loader().load_service_model(service, "service-2")
    assert model != service_models().load_service_model(service, "service-2")


def test_a_service_that_does_not_exist_is_refused(loader: SharingLoader) -> None:
    with pytest.raises(UnknownServiceError):
        loader.load_service_model("nothing", "service-2")
