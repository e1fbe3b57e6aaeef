from __future__ import annotations

from cli.check.quotas.page import PATH, page


def test_the_table_in_the_documentation_is_the_codes() -> None:
    written = PATH.read_text(encoding="utf-8")
    assert page(written) == written, "type: python -m cli.check.quotas"
    assert written.count("| `payload` |") == 1
