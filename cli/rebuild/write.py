"""Writing what is missing, each item under a condition, so that nothing that is there is written over."""

from __future__ import annotations

from typing import Any

from cli.cloud import Cloud
from cli.errors import CommandError
from cli.rebuild.plan import Plan
from turbine.aws.dynamodb import DynamoTable
from turbine.aws.s3 import S3Store
from turbine.domain.champion import history_key
from turbine.ports import Item, Table


class OwnTable(DynamoTable):
    """The training table by the command's own client; the library's is one for the whole process."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud.output("TableName"))
        self._client = cloud.client("dynamodb")

    @property
    def _dynamodb(self) -> Any:
        return self._client


class OwnStore(S3Store):
    """S3 by the command's own client."""

    def __init__(self, cloud: Cloud) -> None:
        self._client = cloud.client("s3")

    @property
    def _s3(self) -> Any:
        return self._client


def carry_out(table: Table, plan: Plan) -> list[str]:
    """Write what is missing, the champion first, and tell what was written as `pk sk`.

    From the first moment on the champion is the last of the history; dying on the way leaves the rest to the next try.
    Raises: CommandError when something else was written meanwhile.
    """
    pk, rest = f"TEAM#{plan.team}", list(plan.inserts)
    written: list[str] = []
    if plan.champion is not None:
        item = {"pk": pk, "sk": "CHAMPION", **plan.champion.model_dump()}
        own = [one for one in rest if one["sk"] == history_key(plan.champion.champion_version)]
        rest = [one for one in rest if one not in own]
        if _set_champion(table, item, plan.expected, own):
            written += [f"{pk} CHAMPION", *(f"{pk} {one['sk']}" for one in own)]
        elif table.get(pk, "CHAMPION") != item:
            raise _overtaken(plan.team, f"{pk} CHAMPION")
    for one in rest:
        name = f"{one['pk']} {one['sk']}"
        if table.insert(one):
            written.append(name)
        elif not _is_same(table.get(one["pk"], one["sk"]), one):
            raise _overtaken(plan.team, name)
    return written


def _set_champion(table: Table, item: Item, expected: int, own: list[Item]) -> bool:
    """With its own item of the history, where that is missing, in one transaction."""
    if own:
        return table.swap(item, {"champion_version": expected} if expected else None, own[0])
    if expected:
        fields: dict[str, Any] = {name: value for name, value in item.items() if name not in ("pk", "sk")}
        return table.update(item["pk"], item["sk"], fields, {"champion_version": expected})
    return table.insert(item)


def _is_same(stored: Item | None, item: Item) -> bool:
    return stored is not None and stored.get("model_package_arn") == item["model_package_arn"]


def _overtaken(team: str, name: str) -> CommandError:
    return CommandError(
        "the table was changed meanwhile, by a promotion or another rebuild; that stays",
        place=name,
        next_step=f"`turbine models rebuild {team}` shows what is left to do",
    )
