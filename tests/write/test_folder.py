"""Files that are written whole, into a folder where nothing is in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bnfhmc.errors import InputError
from bnfhmc.write.folder import check_free, write_files


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path):
    paths = write_files(tmp_path / "a" / "b", {"x.tsv": b"1", "main.yaml": b"2"}, "main.yaml")
    assert [p.name for p in paths] == ["main.yaml", "x.tsv"]
    assert [p.read_bytes() for p in paths] == [b"2", b"1"]
    assert sorted(p.name for p in (tmp_path / "a" / "b").iterdir()) == ["main.yaml", "x.tsv"]


def test_a_folder_that_holds_something_is_left_alone_unless_asked(tmp_path: Path):
    check_free(tmp_path, False)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        check_free(tmp_path, False)
    check_free(tmp_path, True)
    write_files(tmp_path, {"main.yaml": b"2"}, "main.yaml")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "fit.conf").write_text("")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is a file"):
            check_free(tmp_path / "fit.conf", overwrite)


def test_a_link_is_replaced_and_what_it_leads_to_is_not(tmp_path: Path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "main.yaml").symlink_to(tmp_path / "precious")
    write_files(tmp_path / "to", {"main.yaml": b"new"}, "main.yaml")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "to" / "main.yaml").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["../out", "a/b", "/etc/x", "..", "."])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="no plain file name"):
        write_files(tmp_path / "to", {name: b""}, name)
    assert not (tmp_path / "to").exists()


def test_what_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "main.yaml").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_files(tmp_path, {"main.yaml": b"new"}, "main.yaml")
    assert [p.name for p in tmp_path.iterdir()] == ["main.yaml"]
    assert (tmp_path / "main.yaml").read_text() == "old"
