"""Result folders: what is refused, what is kept, and that no file is ever half written."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bnfhmc.errors import InputError
from bnfhmc.report.folder import WriteError, claim

ROOT = Path(__file__).resolve().parents[2]
FINISHED = json.dumps({"program": "bnfhmc", "status": "finished"})
UNFINISHED = json.dumps({"program": "bnfhmc", "status": "unfinished"})


def refusal(path, overwrite=False):
    with pytest.raises(InputError) as caught, claim(path, overwrite):
        raise AssertionError("claimed")
    return str(caught.value)


def test_a_new_folder_and_its_files(tmp_path):
    path = tmp_path / "a" / "b"
    with claim(path) as folder:
        folder.write_text("run.json", UNFINISHED)
        folder.write_text("samples.txt", "β\n")
    assert sorted(p.name for p in path.iterdir()) == ["run.json", "samples.txt"]
    assert (path / "samples.txt").read_text(encoding="utf-8") == "β\n"


def test_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    with claim(tmp_path) as folder:
        folder.write_text("run.json", FINISHED)
    assert (tmp_path / "run.json").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_finished_run_is_kept(tmp_path):
    (tmp_path / "run.json").write_text(FINISHED)
    said = refusal(tmp_path)
    assert said.startswith(f"{tmp_path}:") and "finished" in said and "--overwrite" in said and "-o DIR" in said


def test_overwrite_replaces_our_files_and_no_others(tmp_path):
    (tmp_path / "run.json").write_text(FINISHED)
    (tmp_path / "samples.txt").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    with claim(tmp_path, overwrite=True) as folder:
        assert (tmp_path / "samples.txt").read_text() == "old"    # until there is something new
        folder.write_text("samples.txt", "new")
    assert (tmp_path / "samples.txt").read_text() == "new"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_unfinished_run_may_be_run_again(tmp_path):
    (tmp_path / "run.json").write_text(UNFINISHED)
    (tmp_path / "posterior.nc").write_text("half of it")
    with claim(tmp_path):
        pass
    assert (tmp_path / "posterior.nc").exists()


def test_a_folder_with_other_files_is_fine(tmp_path):
    (tmp_path / "job.log").write_text("started")
    with claim(tmp_path) as folder:
        folder.write_text("run.json", FINISHED)
    assert (tmp_path / "job.log").read_text() == "started"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("name", "text"), [
    ("samples.txt", "# Name\tLn_probability\tk\n"),
    ("posterior.nc", "somebody's"),
    ("run.json", '{"status": "finished"}'),
    ("run.json", '{"program": "bnf'),
    ("run.json", "[1]"),
    ("run.json", "[" * 100_000),
    ("run.json", "\x80"),
])  # fmt: skip
def test_files_of_others_are_left_alone(tmp_path, name, text, overwrite):
    (tmp_path / name).write_text(text, encoding="latin-1")
    said = refusal(tmp_path, overwrite)
    assert str(tmp_path / name) in said and "left alone" in said
    assert (tmp_path / name).read_text(encoding="latin-1") == text


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "f").write_text("x")
    assert "is a file" in refusal(tmp_path / "f")
    assert "cannot be made" in refusal(tmp_path / "f" / "g")


def test_one_run_at_a_time(tmp_path):
    with claim(tmp_path):
        assert "another run" in refusal(tmp_path, overwrite=True)
    with claim(tmp_path):
        pass


def test_an_interrupted_run_leaves_no_empty_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), claim(tmp_path / "new"):
        raise KeyboardInterrupt
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with claim(tmp_path / "old"):
        pass
    assert (tmp_path / "old").exists()


def test_what_a_killed_run_left_is_cleared(tmp_path):
    (tmp_path / ".bnfhmc-posterior.nc").write_text("half")
    with claim(tmp_path):
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(tmp_path, number):
    def writer(path):
        path.write_text("half of")
        raise OSError(number, os.strerror(number))

    (tmp_path / "samples.txt").write_text("old")
    (tmp_path / "run.json").write_text(UNFINISHED)
    with claim(tmp_path) as folder, pytest.raises(WriteError) as caught:
        folder.write("samples.txt", writer)
    assert str(caught.value).startswith(f"{tmp_path / 'samples.txt'}: cannot be written: no space is left on the disk")
    assert (tmp_path / "samples.txt").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.json", "samples.txt"]


def test_another_error_of_the_system(tmp_path):
    with claim(tmp_path / "d") as folder:
        (tmp_path / "d").rmdir()
        with pytest.raises(WriteError, match="No such file or directory"):
            folder.write_text("run.json", "{}")


@pytest.mark.parametrize("limit", [2_000, 50_000])
def test_a_posterior_that_does_not_fit(tmp_path, limit):
    """A real file that outgrows what the system lets it have, at its start and in its middle."""
    program = f"""
import resource, signal, sys
from pathlib import Path
from bnfhmc.report.folder import WriteError, claim
from bnfhmc.report.inference_data import to_inference_data, to_netcdf_bytes
from tests.report.gaussian import Gaussian, draws
idata = to_inference_data(Gaussian(), draws(Gaussian()), loglik=None, attrs={{}})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
path = Path({str(tmp_path)!r})
try:
    with claim(path) as folder:
        folder.write("posterior.nc", lambda file: file.write_bytes(to_netcdf_bytes(idata)))
except WriteError as error:
    sys.exit(f"{{error}} {{[p.name for p in path.iterdir()]}}")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "posterior.nc: cannot be written: no space is left on the disk" in done.stderr.splitlines()[-1]
    assert done.stderr.rstrip().endswith("[]")
