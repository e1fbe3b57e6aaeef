"""An image laid out: only what is copied, named by its content, with paths moved below its root."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud import image_sources, settings
from local_cloud.images import container, requirements
from local_cloud.images.root import ImageError, build

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:latest"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "project"
    (root / "code" / "__pycache__").mkdir(parents=True)
    (root / "code" / "main.py").write_text("print(1)\n")
    (root / "code" / "__pycache__" / "main.pyc").write_text("x")
    (root / "code" / "notes.md").write_text("x")
    (root / "secret.txt").write_text("x")
    (root / ".dockerignore").write_text("**/*.md\nsecret.txt\n")
    monkeypatch.setattr(settings, "_current", settings.CloudSettings(tmp_path / "state", root, 1))
    image_sources.remember("app", "Dockerfile", ".")
    yield root
    image_sources.forget("app")


def write(project: Path, *lines: str) -> None:
    (project / "Dockerfile").write_text("\n".join(["FROM python", *lines]))


def test_only_copied_files_are_there(project: Path) -> None:
    write(project, "WORKDIR /opt/app", "COPY code src")
    root = build(URI).root
    files = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    assert [name for name in files if "__pycache__" not in name] == ["opt/app/src/main.py"]


def test_what_a_container_writes_no_other_sees(project: Path, tmp_path: Path) -> None:
    write(project, "WORKDIR /work", "COPY code /app")
    shared = build(URI)
    first, second = shared.copied_to(tmp_path / "1" / "root"), shared.copied_to(tmp_path / "2" / "root")
    first.path("/app/main.py").write_text("broken")
    first.path("/work/new.py").write_text("new")
    assert second.path("/app/main.py").read_text() == "print(1)\n"
    assert list(second.path("/work").iterdir()) == []
    assert build(URI).copied_to(tmp_path / "3").path("/app/main.py").read_text() == "print(1)\n"
    assert shared.path("/app/main.py").stat().st_mode & 0o222 == 0


def test_a_copy_is_compiled_already(project: Path, tmp_path: Path) -> None:
    write(project, "COPY code /app")
    root = build(URI).copied_to(tmp_path / "root").path("/app")
    compiled = Path(importlib.util.cache_from_source(str(root / "main.py")))
    before = compiled.stat().st_mtime_ns
    script = "import sys; sys.path.insert(0, sys.argv[1]); import main"
    done = subprocess.run([sys.executable, "-I", "-v", "-c", script, str(root)], capture_output=True, text=True)
    assert f"{compiled} matches {root / 'main.py'}" in done.stderr
    assert compiled.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("dockerfile", "context"), [("../Dockerfile", "."), ("Dockerfile", ".."), ("link", "."), ("Dockerfile", "away")]
)
def test_an_image_is_built_from_the_project_only(project: Path, tmp_path: Path, dockerfile: str, context: str) -> None:
    write(project, "COPY code /app")
    (tmp_path / "Dockerfile").write_text("FROM python\n")
    (project / "link").symlink_to(tmp_path / "Dockerfile")
    (project / "away").symlink_to(tmp_path)
    image_sources.remember("app", dockerfile, context)
    with pytest.raises(ImageError, match="is outside of the project"):
        build(URI)


@pytest.mark.parametrize("line", ["COPY code /app", "COPY code/leak /app/leak", "COPY code/*eak /app/"])
def test_a_link_out_of_the_context_is_refused_by_name(project: Path, tmp_path: Path, line: str) -> None:
    (tmp_path / "host-secret").write_text("x")
    (project / "code" / "leak").symlink_to(tmp_path / "host-secret")
    write(project, line)
    with pytest.raises(ImageError, match="code/leak is a link out of the context"):
        build(URI)


def test_the_same_content_is_laid_out_once_and_a_change_anew(project: Path) -> None:
    write(project, "COPY code /app")
    first = build(URI).root
    assert build(URI).root == first
    (project / "code" / "main.py").write_text("print(2)\n")
    assert build(URI).root != first


def test_paths_of_the_image_are_moved_and_others_are_not(project: Path, tmp_path: Path) -> None:
    write(
        project,
        "ENV PYTHONPATH=/app:/usr/lib/x PATH=/app/bin:$PATH",
        "WORKDIR /app",
        "COPY code /app",
        'CMD ["/app/main.py"]',
    )
    image = build(URI)
    environment = container.environment(image, {"ENDPOINT": "http://127.0.0.1:1/app"}, tmp_path / "scratch")
    assert environment["PYTHONPATH"] == f"{image.root}/app:/usr/lib/x"
    assert environment["PATH"].startswith(f"{image.root}/app/bin:")
    assert environment["ENDPOINT"] == "http://127.0.0.1:1/app"
    assert container.command(image, None) == [f"{image.root}/app/main.py"]
    assert container.workdir(image) == image.root / "app"


def test_an_override_replaces_the_command_and_keeps_the_entrypoint(project: Path) -> None:
    write(project, 'ENTRYPOINT ["python", "-m", "app"]', 'CMD ["a"]')
    assert container.command(build(URI), ["b"]) == ["python", "-m", "app", "b"]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("COPY missing /x", "COPY missing"),
        ("COPY ../secret.txt /x", "no such file"),
        ("COPY secret.txt /x", ".dockerignore"),
        ("RUN pip install -r nowhere.txt", "no COPY put it there"),
        ("RUN pip install not-a-package-of-this-world", "not installed"),
        ("RUN pip install 'pytest<1'", "installed: "),
        ("ADD a b", "ADD is not emulated"),
    ],
)
def test_what_cannot_be_laid_out_is_an_error_that_names_it(project: Path, line: str, named: str) -> None:
    write(project, line)
    with pytest.raises(ImageError, match=named):
        build(URI)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("docker.io/library/python:3", "not emulated"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/other:latest", "no deployed template"),
    ],
)
def test_an_image_that_no_template_describes_is_refused(project: Path, uri: str, named: str) -> None:
    with pytest.raises(ImageError, match=named):
        build(uri)


def test_a_requirements_file_is_read_without_its_options() -> None:
    text = "--index-url x\n# c\nboto3==1.2 \\\n    --hash=sha256:ab\n\nnumpy>=1  # why\n"
    assert requirements.in_file(text) == ["boto3==1.2", "numpy>=1"]


def test_requirements_of_another_platform_are_not_looked_for() -> None:
    requirements.check(["never-heard-of-it; sys_platform == 'win32'"], "app")
