"""Not yet extended: moto as it is."""

from local_cloud.replacements import Replacement

REPLACEMENTS: list[Replacement] = []
