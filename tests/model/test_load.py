"""Loading by suffix; what is broken names the file, what is missing names the command."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import InputError, MissingTool
from bnfhmc.model import load_model


@pytest.mark.parametrize("file", ["chain.net", "chain.bngl", "chain.ant", "amount.xml", "sir.net"])
def test_every_kind_of_file_loads(network, file):
    assert network(file).outputs


def test_a_suffix_may_be_written_in_capitals(model_path, tmp_path):
    path = tmp_path / "CHAIN.NET"
    path.write_text(model_path("chain.net").read_text())
    assert load_model(path, name="c").quantities["k1"] == 0.7


def test_sbml_may_be_called_sbml(model_path, tmp_path):
    path = tmp_path / "amount.sbml"
    path.write_text(model_path("amount.xml").read_text())
    assert load_model(path, name="a").quantities["k"] == 0.7


BROKEN = {
    "empty.net": b"",
    "empty.bngl": b"",
    "empty.xml": b"",
    "empty.ant": b"",
    "words.net": b"this is no network\n",
    "words.bngl": b"this is no model\n",
    "words.xml": b"this is no SBML",
    "words.ant": b"this is no } antimony {",
    "binary.net": bytes(range(256)),
    "binary.bngl": b"begin model\nbegin parameters\n k \xff\xfe 1\nend parameters\nend model\n",
    "binary.xml": bytes(range(256)),
    "binary.ant": bytes(range(256)),
    "unclosed.xml": b'<?xml version="1.0"?><sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3"><model>',
    "no_sbml.xml": b"<html><body/></html>",
    "undefined.bngl": b"begin model\nbegin parameters\n k 2*q\nend parameters\nend model\n",
    "undefined.net": b"begin parameters\n 1 k 2*q\nend parameters\nbegin species\n 1 A() k\nend species\n",
    "reaction.net": b"begin parameters\n 1 k 1\nend parameters\nbegin species\n 1 A() k\nend species\n"
    b"begin reactions\n 1 1 7 k\nend reactions\n",
    "delay.ant": b"model m()\n species A; k=1; A=1; A -> ; k*A; Y := delay(A, k);\nend\n",
}


@pytest.mark.parametrize("file", BROKEN)
def test_a_broken_file_is_an_input_error_that_names_it(tmp_path, capfd, file):
    path = tmp_path / file
    path.write_bytes(BROKEN[file])
    with pytest.raises(InputError) as error:
        load_model(path, name="m")
    said = str(error.value)
    assert str(path) in said and len(said) < 3000 and "Traceback" not in said
    assert said.startswith(f"{path}:")
    assert capfd.readouterr() == ("", "")


def test_the_users_file_is_named_and_not_a_copy_of_it(tmp_path):
    path = tmp_path / "m.bngl"
    path.write_text("begin model\nbegin parameters\n k k1__FREE*q\nend parameters\nend model\n")
    with pytest.raises(InputError) as error:
        load_model(path, name="m", free={"k1__FREE": 1.0})
    assert "bnfhmc_" not in str(error.value) and "bngsim-bngl" not in str(error.value)


@pytest.mark.parametrize("file", ["missing.net", "missing.bngl", "missing.xml", "missing.ant"])
def test_a_file_that_is_not_there(tmp_path, file):
    with pytest.raises(InputError, match="not found"):
        load_model(tmp_path / file, name="m")


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "m.net").mkdir()
    with pytest.raises(InputError, match="not found"):
        load_model(tmp_path / "m.net", name="m")


@pytest.mark.parametrize("file", ["m.txt", "m", "m.py", "m.net.gz", "m.cps"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path, file):
    (tmp_path / file).write_text("x")
    with pytest.raises(InputError) as error:
        load_model(tmp_path / file, name="m")
    for suffix in (".bngl", ".net", ".xml", ".ant"):
        assert suffix in str(error.value)


# tools


@pytest.fixture
def without_tools(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("BNGPATH", "BNG2_PL"):
        monkeypatch.delenv(name, raising=False)


def test_a_missing_perl_is_named_with_its_command(without_tools, model_path):
    with pytest.raises(MissingTool) as error:
        load_model(model_path("chain.bngl"), name="m")
    assert "apt-get install perl" in str(error.value) and "chain.bngl" in str(error.value)
    assert "bnfhmc[bngl]" not in str(error.value)


def test_a_missing_bionetgen_is_named_with_its_command(without_tools, model_path, monkeypatch):
    monkeypatch.setattr("bnfhmc.model.load.find_spec", lambda name: None)
    with pytest.raises(MissingTool) as error:
        load_model(model_path("chain.bngl"), name="m")
    assert "pip install 'bnfhmc[bngl]'" in str(error.value)


@pytest.mark.parametrize("variable", ["BNGPATH", "BNG2_PL"])
def test_a_bionetgen_that_the_environment_points_at_is_one(model_path, monkeypatch, variable):
    folder = Path(find_spec("bionetgen").origin).parent / "bng-linux"
    monkeypatch.setenv(variable, str(folder if variable == "BNGPATH" else folder / "BNG2.pl"))
    monkeypatch.setattr("bnfhmc.model.load.find_spec", lambda name: None)
    assert load_model(model_path("chain.bngl"), name="m").outputs


def test_a_missing_antimony_is_named_with_its_command(model_path, monkeypatch):
    monkeypatch.setattr("bnfhmc.model.load.find_spec", lambda name: None)
    with pytest.raises(MissingTool) as error:
        load_model(model_path("chain.ant"), name="m")
    assert "pip install 'bnfhmc[antimony]'" in str(error.value)


SOLVE = """
import sys
import numpy as np
from pathlib import Path
from bnfhmc.errors import InputError, MissingTool
from bnfhmc.model import load_model
model = load_model(Path(sys.argv[1]), name="m")
try:
    model.solve({"k1": 0.5}, np.array([0.0, 1.0]), ("A",), ("k1",))
except (InputError, MissingTool) as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.parametrize("compiler", ["/nonexistent/cc", "/bin/false"])
def test_a_compiler_that_is_missing_or_broken_is_named_with_its_command(model_path, tmp_path, compiler):
    env = os.environ | {"CC": compiler, "BNGSIM_CODEGEN_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", SOLVE, str(model_path("chain.net"))], capture_output=True, text=True, env=env, timeout=120
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith("MissingTool: ") and "compiler" in done.stdout
    assert ("install gcc" in done.stdout) or (compiler in done.stdout)


def test_a_cache_that_cannot_be_written_is_named(model_path, tmp_path):
    (tmp_path / "file").write_text("")
    env = os.environ | {"BNGSIM_CODEGEN_CACHE_DIR": str(tmp_path / "file" / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", SOLVE, str(model_path("chain.net"))], capture_output=True, text=True, env=env, timeout=120
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert str(tmp_path / "file") in done.stdout


def test_signals_are_left_as_they_were(model_path):
    kept = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    load_model(model_path("chain.bngl"), name="m")
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == kept


def test_tolerances_reach_the_solver(model_path):
    coarse, fine = (load_model(model_path("sir.net"), name="m", rtol=tol, atol=tol) for tol in (1e-3, 1e-11))
    times, values = np.linspace(0, 14, 15), {"beta": 1.7}
    gap = np.abs(coarse.solve(values, times, ("I",)).y - fine.solve(values, times, ("I",)).y).max()
    assert 1e-4 < gap < 5


# parameters that the file computes from others, and a configuration sets


@pytest.mark.parametrize("file", ["chain.net", "chain.bngl"])
def test_a_computed_parameter_that_is_to_be_set_becomes_one_of_its_own(model_path, file):
    model = load_model(model_path(file), name="m", settable={"kd", "k1", "no_such"}, rtol=1e-10, atol=1e-12)
    assert set(model.derived) == {"kd"} and model.derived["kd"]({"k2": 0.35}) == 0.7
    assert model.quantities["kd"] == pytest.approx(0.6)
    times, values = np.array([0.0, 1.0, 3.0]), {"A0": 8.0, "k1": 0.9, "k2": 0.35, "kd": 1.7}
    y, dy = model.solve(values, times, ("A", "B"), ("kd", "k2", "A0"))

    def closed(m):
        B = 0.5 * m["A0"] * np.exp(-m["kd"] * times)
        B = B + m["A0"] * 0.9 / (m["kd"] - 0.9) * (np.exp(-0.9 * times) - np.exp(-m["kd"] * times))
        return np.stack([m["A0"] * np.exp(-0.9 * times), B], axis=1)

    np.testing.assert_allclose(y, closed(values), rtol=1e-7)
    for c, name in enumerate(("kd", "k2", "A0")):
        expected = closed({**values, name: values[name] + 1e-30j}).imag / 1e-30
        np.testing.assert_allclose(dy[:, :, c], expected, rtol=1e-6, atol=1e-7)
    assert model.clone().derived == model.derived


NAMED = """
begin parameters
    1 {name} 5
    2 k1 0.1
    3 kd 2*{name}*k1
end parameters
begin species
    1 A() 10
end species
begin reactions
    1 1 0 kd
end reactions
begin groups
    1 A 1
end groups
"""


@pytest.mark.parametrize("name", ["e", "pi", "inf", "exp", "sign"])
def test_a_parameter_may_be_called_like_a_constant(tmp_path, name):
    """kd = 2·5·k1 whatever its factor is called."""
    path = tmp_path / "m.net"
    path.write_text(NAMED.format(name=name))
    try:
        model = load_model(path, name="m", settable={"kd"})
    except InputError as error:  # bngsim may refuse a name, and so may we, but by name
        assert name in str(error)
        return
    assert model.derived["kd"]({name: 5.0, "k1": 0.1}) == pytest.approx(1.0)
