"""`python -m tests.rehearsal`: walk the whole way, with a real build, and write the transcript if all of it was so."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.rehearsal.play import Rehearsal
from tests.rehearsal.shell import CommandFailedError, Spoken, children_cpu_s, missing, open_shell

HEAD = """# A deployment with `sam`, from build to deletion

Written by `make rehearsal`, which types these commands in a copy of the project and looks after each whether what it
did is so; it fails where it is not. The cloud is the embedded AWS with IAM deciding (`--strict`), reached by the
ordinary variables; `sam` is AWS's own. Nothing here has met a real account.
"""
FOOT = """## What it shows, and what not
- The archives are for Lambda's arm64 and Python 3.13. Here their pure Python runs from the archive; a compiled
  distribution is replaced by the same version of this machine's environment, and code sees nothing that its archive
  does not bring ([decision 13](decisions/0013-an-archive-for-lambda-runs-here-with-stand-ins.md)). So the wheels'
  compiled parts are built and weighed, never run.
- Images are not built or pushed: `sam` does not know them, and the embedded Batch reads their Dockerfiles.
- `make test` walks the same way without `sam build` (`tests/scenarios/test_sam.py`): its layers hold no wheels.
"""
Act = tuple[str, list[Callable[[], None]]]


def acts(rehearsal: Rehearsal) -> list[Act]:
    """Headings of the transcript, and what is done under each."""
    return [
        ("Build", [rehearsal.build]),
        ("Deploy", [rehearsal.start_cloud, rehearsal.deploy, rehearsal.train]),
        ("Deploy again, while a run is under way", [rehearsal.hold_a_run, rehearsal.change, rehearsal.build_again]),
        ("", [rehearsal.update, rehearsal.finish_the_held_run]),
        ("Delete", [rehearsal.delete]),
    ]


def walk(folder: Path) -> Iterator[str]:
    """The transcript, act by act. Raises: CommandFailedError, AssertionError."""
    shell = open_shell(folder)
    rehearsal = Rehearsal(shell)
    yield HEAD
    try:
        for heading, doings in acts(rehearsal):
            before_s = children_cpu_s()
            for do in doings:
                do()
            print(f"{heading or '…'}: {children_cpu_s() - before_s:.0f} CPU s", file=sys.stderr)
            yield (f"## {heading}\n" if heading else "") + "\n".join(map(written, shell.spoken))
            shell.spoken.clear()
    finally:
        if shell.variables:
            rehearsal.stop_cloud()
    yield FOOT


def written(spoken: Spoken) -> str:
    """One command with its answer, or a remark, as Markdown."""
    if not spoken.command:
        return f"{spoken.answer}\n"
    return "\n".join(filter(None, ["```", f"$ {spoken.command}", spoken.answer, "```\n"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the file for the transcript; without it, stdout")
    given = parser.parse_args()
    if lack := missing(builds=True):
        sys.exit(lack)
    try:
        with tempfile.TemporaryDirectory(prefix="turbine-rehearsal-") as folder:
            transcript = "\n".join(walk(Path(folder).resolve()))
    except CommandFailedError as error:
        sys.exit(str(error))
    if given.write:
        given.write.write_text(transcript)
    else:
        print(transcript)


if __name__ == "__main__":
    main()
