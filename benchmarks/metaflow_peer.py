"""Metaflow's local runner on the same graph as `fan_out/`, in an environment of its own that is made once.

At run time nothing leaves the machine: datastore and metadata are local, in a temporary folder, and so is its home.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

FOLDER = Path(__file__).parent / "fan_out"
REQUIREMENTS = FOLDER / "metaflow-requirements.txt"
ENVIRONMENT = Path(__file__).parents[1] / "build/metaflow"


def python() -> Path:
    """The interpreter that has Metaflow; its environment is made when there is none for these requirements."""
    interpreter, made = ENVIRONMENT / "bin/python", ENVIRONMENT / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if not made.exists() or made.read_text() != wanted:
        print(f"making Metaflow's environment in {ENVIRONMENT}", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        install = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
        made.write_text(wanted)
    return interpreter


def run_flow(interpreter: Path) -> None:
    """Run the flow to its end. Raises: CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        own = {
            "HOME": folder,
            "METAFLOW_HOME": f"{folder}/home",
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": f"{folder}/datastore",
            "METAFLOW_DEFAULT_DATASTORE": "local",
            "METAFLOW_DEFAULT_METADATA": "local",
            "METAFLOW_USER": "benchmark",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith(("METAFLOW", "PYTHON"))}
        command = [str(interpreter), str(FOLDER / "flow.py"), "--quiet", "--no-pylint", "run"]
        subprocess.run(command, env=others | own, check=True, cwd=folder, capture_output=True)
