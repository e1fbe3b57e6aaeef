"""What the data bucket holds for the teams (files and shards), asked once an invocation."""

from __future__ import annotations

import hashlib

from turbine.domain import team, uri
from turbine.domain.errors import ObjectMissingError
from turbine.domain.manifest import ShardFormat
from turbine.domain.rejection import Fault, ManifestFaultyError, fault
from turbine.domain.run import Shard
from turbine.domain.team import TeamFile
from turbine.domain.uri import S3Uri
from turbine.ports import ObjectStore
from turbine.usecases import inference_input

TEAMS_PREFIX = "config/teams/"

# Reading the data once to check its hash must fit a function's time.
HASHED_MAX_BYTES = 1024**3


class Catalog:
    """A view of the data bucket that lives as long as one invocation."""

    def __init__(self, store: ObjectStore, data_bucket: str) -> None:
        self._store = store
        self._bucket = data_bucket
        self._teams: dict[str, TeamFile] = {}
        self._shards: dict[tuple[str, str], tuple[Shard, ...]] = {}
        self._inputs: set[str] = set()

    def team(self, name: str) -> TeamFile:
        """A team's file. Raises: ManifestFaultyError when there is none, or a faulty one."""
        if name not in self._teams:
            self._teams[name] = self._read_team(name)
        return self._teams[name]

    def team_names(self) -> list[str]:
        """Every team that has a file."""
        listed = self._store.objects(S3Uri(self._bucket, TEAMS_PREFIX))
        names = (entry.key.removeprefix(TEAMS_PREFIX) for entry in listed)
        return [name.removesuffix(".yaml") for name in names if name.endswith(".yaml")]

    def shards(self, source_uri: str, shard_format: ShardFormat) -> tuple[Shard, ...]:
        """The current version of every object of a format at a URI. Raises: ManifestFaultyError for none."""
        if (source_uri, shard_format) not in self._shards:
            self._shards[source_uri, shard_format] = self._list_shards(source_uri, f".{shard_format}")
        return self._shards[source_uri, shard_format]

    def check_sha256(self, shards: tuple[Shard, ...], expected: str | None) -> None:
        """Hash the shards' bytes in key order. Raises: ManifestFaultyError for another hash."""
        if expected is None:
            return
        total = sum(shard.size_bytes for shard in shards)
        if total > HASHED_MAX_BYTES:
            problem = f"cannot be checked for {total} bytes (at most {HASHED_MAX_BYTES})"
            raise ManifestFaultyError([fault("dataset.sha256", problem, "set dataset.sha256 to null")])
        sha256 = hashlib.sha256()
        for shard in shards:
            for chunk in self._store.stream(S3Uri(shard.bucket, shard.key), shard.version_id):
                sha256.update(chunk)
        if sha256.hexdigest() != expected:
            problem = f"does not match the shards, whose bytes hash to {sha256.hexdigest()}"
            raise ManifestFaultyError([fault("dataset.sha256", problem, "upload the data again, or correct it")])

    def check_input(self, field: str, given: str) -> None:
        """Check what a URI leads to, once for all runs that predict on it. Raises: ManifestFaultyError."""
        if given not in self._inputs:
            inference_input.check(self._store, field, given)
            self._inputs.add(given)

    def _read_team(self, name: str) -> TeamFile:
        key = f"{TEAMS_PREFIX}{name}.yaml"
        try:
            found = team.parse(self._store.read(S3Uri(self._bucket, key)))
        except ObjectMissingError as error:
            mend = f"correct the name, or write {key} and type: turbine teams apply"
            raise ManifestFaultyError([fault("team", f"{name!r} is not a known team", mend)]) from error
        except ManifestFaultyError as error:
            mend = f"correct {key} and type: turbine teams apply"
            raise ManifestFaultyError([fault("team", f"has a faulty team file ({error})", mend)]) from error
        if found.team != name:
            problem = f"has a team file that is for {found.team!r}"
            raise ManifestFaultyError([fault("team", problem, f"correct team in {key}")])
        return found

    def _list_shards(self, source_uri: str, suffix: str) -> tuple[Shard, ...]:
        place = uri.parse(source_uri)
        shards = tuple(
            Shard(
                bucket=place.bucket,
                key=entry.key,
                version_id=entry.version_id,
                etag=entry.etag,
                size_bytes=entry.size_bytes,
            )
            for entry in self._store.current_versions(place)
            if entry.key.endswith(suffix)
        )
        if not shards:
            raise ManifestFaultyError([_nothing_at("dataset.source.uri", source_uri, f"a {suffix} shard")])
        return shards


def _nothing_at(field: str, given: str, wanted: str) -> Fault:
    return fault(field, f"points at nothing: there is no {wanted} at {given}", f"upload the data, or correct {field}")
