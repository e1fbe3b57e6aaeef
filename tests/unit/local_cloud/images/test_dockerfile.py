"""What a Dockerfile means to a process, and what is refused."""

from __future__ import annotations

import pytest

from local_cloud.images.dockerfile import Copy, UnsupportedDockerfileError, parse

TEXT = """
# comment
ARG ROOT=/opt/app
FROM --platform=linux/amd64 python:3.13 AS only
ENV PYTHONPATH=$ROOT:/opt/more MODE="a b"
WORKDIR $ROOT
WORKDIR src
COPY --chown=1000:1000 a b.txt lib/
COPY one.py /opt/app/two.py
RUN pip install --no-cache-dir \\
      -r lib/requirements.txt && python -m pip install "torch==2.13.0"
EXPOSE 8080
LABEL a=b
USER 1000
ENTRYPOINT ["python", "-m", "app"]
CMD serve --now
"""


def test_instructions_add_up_each_seeing_those_before_it() -> None:
    parsed = parse(TEXT)
    assert parsed.base == "python:3.13"
    assert parsed.environment == {"PYTHONPATH": "/opt/app:/opt/more", "MODE": "a b"}
    assert parsed.workdir == "/opt/app/src"
    assert parsed.copies == (
        Copy(("a", "b.txt"), "/opt/app/src/lib/"),
        Copy(("one.py",), "/opt/app/two.py"),
    )
    assert parsed.entrypoint == ("python", "-m", "app")
    assert parsed.command == ("/bin/sh", "-c", "serve --now")


def test_pip_install_gives_requirements_and_files() -> None:
    first, second = parse(TEXT).installs
    assert first.files == ("/opt/app/src/lib/requirements.txt",)
    assert second.requirements == ("torch==2.13.0",)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("ADD a b", "line 2: ADD"),
        ("HEALTHCHECK NONE", "HEALTHCHECK"),
        ("VOLUME /data", "VOLUME"),
        ("RUN apt-get install gcc", "RUN apt-get install gcc"),
        ("RUN pip install x && make", "RUN make"),
        ("RUN pip install --target /x y", "--target"),
        ("COPY --from=builder /a /b", "COPY --from"),
        ("FROM other", "only one stage"),
    ],
)
def test_anything_else_is_refused_by_name(line: str, named: str) -> None:
    with pytest.raises(UnsupportedDockerfileError, match=named):
        parse(f"FROM python\n{line}\n")


def test_the_machines_path_is_left_to_be_filled_in_when_the_process_starts() -> None:
    assert parse("FROM a\nENV PATH=/opt/bin:$PATH\n").environment["PATH"] == "/opt/bin:$PATH"
