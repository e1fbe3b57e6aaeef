"""`python -m local_cloud.coverage`: write docs/embedded-cloud-coverage.md anew."""

from __future__ import annotations

from local_cloud.coverage.page import PATH, ROOT, page

if __name__ == "__main__":
    PATH.write_text(page())
    print(f"{PATH.relative_to(ROOT)} is written")
