"""What the doctor finds, and what it says of what is missing."""

import pytest

from bnfhmc.report import doctor
from bnfhmc.report.doctor import Check, healthy, print_checks, to_record


def by_name(*parts):
    return {c.name: c for part in parts for c in part()}


def test_this_computer():
    found = by_name(doctor._python, doctor._packages, doctor._tools, doctor._folders)
    assert found["Python"].ok and found["numpy"].ok and found["C compiler"].ok and "core" in found["system"].said


def test_a_model_is_compiled_and_differentiated():
    found = by_name(doctor._simulator)
    assert found["a .net model"].ok and "solved with its gradient" in found["a .net model"].said


def test_what_is_missing_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    monkeypatch.delenv("BNG2_PL", raising=False)
    monkeypatch.delenv("BNGPATH", raising=False)
    found = by_name(doctor._packages, doctor._tools)
    assert found["bngsim"].ok is False and found["bngsim"].advice == "pip install bngsim"
    assert found["antimony"].ok is None and "bnfhmc[antimony]" in found["antimony"].advice
    assert found["C compiler"].ok is False and "apt-get install gcc" in found["C compiler"].advice
    assert found["perl"].ok is None and found["BNG2.pl"].ok is None


def test_a_broken_simulator_is_a_finding(monkeypatch):
    def broken(suffix, text):
        raise ImportError("libcvodes.so: no such file\nmore")

    monkeypatch.setattr(doctor, "_solve", broken)
    found = by_name(doctor._simulator)
    assert found["a .net model"].ok is False and found["a .net model"].said == "libcvodes.so: no such file"
    assert found["a .bngl model"].ok is None
    monkeypatch.setattr(doctor, "_solve", lambda suffix, text: (0.1, 0.3))
    assert by_name(doctor._simulator)["a .net model"].said == "its gradient is off by 0.3"


@pytest.mark.parametrize(("oks", "well"), [((True, None), True), ((True, False), False)])
def test_healthy(oks, well, capsys):
    from rich.console import Console

    checks = [Check("[red]x", ok, "said", "type this") for ok in oks]
    assert healthy(checks) is well and to_record(checks)["healthy"] is well
    print_checks(Console(width=100), checks)
    out = capsys.readouterr().out
    assert "[red]x" in out and "type this" in out
