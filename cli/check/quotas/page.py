"""The table of limits in docs/proofs-quotas.md, written from the table in the code."""

from __future__ import annotations

from pathlib import Path

from cli.check.quotas import limits

PATH = Path(__file__).resolve().parents[3] / "docs" / "proofs-quotas.md"
_BEGIN, _END = "<!-- limits -->\n", "<!-- end -->\n"


def page(text: str) -> str:
    """The page with today's table in it."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return before + _BEGIN + _table() + _END + after


def _table() -> str:
    rows = ["| limit | of | AWS takes | source |", "|---|---|---|---|"]
    for limit in limits.table().values():
        is_page = limit.source.startswith("https://")
        source = f"[{limit.source.rpartition('/')[2]}]({limit.source})" if is_page else f"`{limit.source}`"
        rows.append(f"| `{limit.key}` | {limit.what} | {limit.value:,} {limit.unit} | {source} |")
    return "\n".join(rows) + "\n"
