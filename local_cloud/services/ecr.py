"""ECR: which Dockerfile the images of a repository are made from outlives the cloud. All else is moto's."""

from __future__ import annotations

from local_cloud import image_sources
from local_cloud.replacements import Replacement

REPLACEMENTS: list[Replacement] = []
KEPT = {image_sources.SERVICE: (image_sources.kept, image_sources.restore)}
"""Which Dockerfile each repository's images are of."""
