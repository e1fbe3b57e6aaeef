"""An archive that was built for Lambda's machine, laid out to run on this one."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud.lambda_runtime import code
from local_cloud.lambda_runtime.stand_ins import NoStandInError
from tests.unit.local_cloud.lambda_runtime.built_archives import FOREIGN, distribution, zipped

COMPILED, VERSION = "wrapt", importlib.metadata.version("wrapt")
THEIRS = {"wrapt/__init__.py": "raise ImportError('for another machine')", "wrapt/_wrappers.pyd": "native"}


def imported(folders: list[str], statement: str) -> str:
    """What a fresh process prints that sees these folders and the standard library."""
    program = f"import sys; sys.path[:0] = {folders!r}; {statement}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True
    ).stdout


def test_a_compiled_distribution_is_this_environments(tmp_path: Path) -> None:
    layer = zipped(distribution(COMPILED, VERSION, THEIRS, FOREIGN, below="python/"))
    root = code.extract([layer], tmp_path) / "python"
    assert not (root / "wrapt/_wrappers.pyd").exists()
    shown = imported([str(root)], "import wrapt; print(wrapt.__file__, wrapt.ObjectProxy(7) + 1)")
    assert shown.split() == [str(root / "wrapt/__init__.py"), "8"]


def test_a_pure_distribution_stays_the_archives(tmp_path: Path) -> None:
    root = code.extract([zipped(distribution("six", "0.1", {"six.py": "mine = True"}))], tmp_path)
    assert (root / "six.py").read_text() == "mine = True"


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        (COMPILED, "0.1", f"{COMPILED} 0.1 for another machine, and here {VERSION}"),
        ("nowhere", "1", "not installed here"),
    ],
)
def test_another_version_does_not_stand_in(tmp_path: Path, name: str, version: str, said: str) -> None:
    with pytest.raises(NoStandInError, match=said):
        code.extract([zipped(distribution(name, version, {}, FOREIGN))], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_record_reaches_nothing_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("still here")
    outside = distribution(COMPILED, VERSION, THEIRS, FOREIGN)
    record = f"{COMPILED}-{VERSION}.dist-info/RECORD"
    outside[record] += f"../../victim,,\n{victim},,\n"
    code.extract([zipped(outside)], tmp_path / "store")
    assert victim.read_text() == "still here"


def test_code_that_brings_its_dependencies_sees_no_other(tmp_path: Path) -> None:
    built = code.extract([zipped({"app.py": ""}, distribution("six", "0.1", {"six.py": ""}))], tmp_path / "code")
    plain = code.extract([zipped({"app.py": ""})], tmp_path / "code")
    assert code.third_party_paths([str(plain)], tmp_path / "packages") == [
        path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")
    ]
    seen = code.third_party_paths([str(built)], tmp_path / "packages")
    statement = (
        "import importlib.util as u; print(*(bool(u.find_spec(name)) for name in ('boto3', 'dateutil', 'moto')))"
    )
    assert imported(seen, statement).split() == ["True", "True", "False"]
