"""`python -m scans`: every scanner, every rule, every exception."""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scans import exceptions, own_rules, templates
from scans.findings import Finding
from scans.scanners import ScannerError, Scanners

ROOT = Path(__file__).parents[1]
EXCEPTIONS = Path(__file__).parent / "exceptions.yaml"


def scan(root: Path, environment: Path, tools: Path, folder: Path) -> list[Finding]:
    """What everybody finds. Raises: ScannerError."""
    written = templates.write(root, folder)
    scanners = Scanners(root, environment, tools)

    def own() -> Iterator[Finding]:
        for name, path in written.items():
            yield from own_rules.findings(name, json.loads(path.read_text()))

    todo: list[Callable[[], Iterable[Finding]]] = [
        scanners.detect_secrets,
        lambda: scanners.cdk_nag(written),
        scanners.bandit,
        lambda: scanners.checkov(written),
        scanners.cfn_lint,
        own,
    ]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return sorted({one for found in pool.map(lambda one: list(one()), todo) for one in found})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv-scan")
    parser.add_argument("--tools", type=Path, default=ROOT / ".venv-tools", help="the environment of detect-secrets")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/scan", help="where expanded templates go")
    parser.add_argument("--all", action="store_true", help="print the excepted findings too")
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # SAM's translator has metrics to publish
    try:
        findings = scan(ROOT, given.environment, given.tools, given.folder)
    except (ScannerError, FileNotFoundError) as error:
        sys.exit(f"{error}\nnext: make check-template")
    exemptions = exceptions.read(EXCEPTIONS)
    verdict = exceptions.judge(findings, exemptions, datetime.datetime.now(datetime.UTC).date())
    for one in findings if given.all else verdict.open:
        print(f"{one.place}: {one.rule}: {one.message}")
    for text in verdict.unused:
        print(f"scans/exceptions.yaml: excepts nothing: {text}")
    for text in verdict.out_of_date:
        print(f"scans/exceptions.yaml: expired, or for longer than a year: {text}")
    print(
        f"{len(findings)} findings, {len(findings) - len(verdict.open)} excepted for {len(exemptions)} reasons, "
        f"{len(verdict.open)} open"
    )
    sys.exit(0 if verdict.is_clean else 1)


if __name__ == "__main__":
    main()
