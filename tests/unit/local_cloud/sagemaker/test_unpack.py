"""A model archive must not write outside of its folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from local_cloud.sagemaker.model_server import ModelServerError, unpack


def archive(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return path


def test_members_land_in_the_folder(tmp_path: Path) -> None:
    unpack(archive(tmp_path / "m.tar.gz", tarfile.TarInfo("a/b"), b"x"), tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b").read_bytes() == b"x"


def test_a_member_above_the_folder_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.tar.gz", tarfile.TarInfo("../evil"), b"x")
    with pytest.raises(ModelServerError, match="cannot be unpacked"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(ModelServerError):
        unpack(archive(tmp_path / "m.tar.gz", link), tmp_path / "out")


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "m.tar.gz").write_bytes(b"not an archive")
    with pytest.raises(ModelServerError, match="cannot be unpacked"):
        unpack(tmp_path / "m.tar.gz", tmp_path / "out")
