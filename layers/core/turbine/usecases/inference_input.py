"""Whether there is anything to predict, and whether the predictions' keys will fit: each is named after its input."""

from __future__ import annotations

from turbine.domain import uri
from turbine.domain.rejection import ManifestFaultyError, fault
from turbine.ports import ObjectStore


def check(store: ObjectStore, field: str, given: str) -> None:
    """Look at the objects that a URI leads to. Raises: ManifestFaultyError for none, or a key that is too long."""
    from turbine.domain.inference import INPUT_KEY_MAX_BYTES  # every arrival imports this module, few name an input

    longest = max((len(entry.key.encode()) for entry in store.objects(uri.parse(given))), default=None)
    if longest is None:
        problem = f"points at nothing: there is no object at {given}"
        raise ManifestFaultyError([fault(field, problem, f"upload the data, or correct {field}")])
    if longest > INPUT_KEY_MAX_BYTES:
        problem = f"leads to an object whose key has {longest} bytes, more than the {INPUT_KEY_MAX_BYTES} allowed"
        mend = "give it a shorter name: its predictions lie under that name behind a prefix of their own"
        raise ManifestFaultyError([fault(field, problem, mend)])
