"""`python -m cli.check.quotas`: write the table of docs/proofs-quotas.md anew."""

from __future__ import annotations

from cli.check.quotas.page import PATH, page

if __name__ == "__main__":
    PATH.write_text(page(PATH.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{PATH.name} is written")
