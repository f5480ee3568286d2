"""What the documentation of the optimizers types runs, and says what it says."""

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import bnfhmc.optimizers

ROOT = Path(__file__).resolve().parents[1]


def run_python(source, tmp_path, *args):
    path = tmp_path / "typed.py"
    path.write_text(source)
    done = subprocess.run([sys.executable, "-W", "error", str(path), *args], cwd=tmp_path, capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_of_the_page(tmp_path):
    text = (ROOT / "docs" / "optimize.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    said = run_python("\n".join(blocks), tmp_path)
    assert "'x': 1.0" in said or "'x': 0.99" in said
    assert "gntr: the posterior is exactly a sum of squares" in said and "x is between" in said


METHODS = ["trf", "gntr", "fides", "lbfgs", "adam", "nelder_mead", "powell", "differential_evolution", "shgo", "cma"]


def test_the_hopf_example(tmp_path):
    """Every optimizer recovers a within 1 %; least squares in fewer than 15 evaluations; and the picture of all is drawn."""
    packages = {"fides": "fides", "cma": "cma", "adam": "optax"}
    methods = [m for m in METHODS if importlib.util.find_spec(packages.get(m, "numpy")) is not None]
    said = run_python((ROOT / "examples" / "hopf" / "hopf.py").read_text(), tmp_path, *methods)
    found = {m: (float(a), int(n)) for m, a, n in re.findall(r"(\w+): a = ([\d.]+) after (\d+) evaluations", said)}
    assert list(found) == methods
    for method, (a, _) in found.items():
        assert a == pytest.approx(1.5, rel=0.01), method
    assert found["trf"][1] < 15
    assert (tmp_path / "convergence.png").stat().st_size > 5000


def test_every_method_and_key_is_in_the_page():
    from bnfhmc.read.keys import OPTIMIZATION

    text = (ROOT / "docs" / "optimize.md").read_text()
    for word in (*bnfhmc.optimizers.METHODS, "profile_likelihood", *OPTIMIZATION):
        assert f"`{word}" in text, word


def test_the_benchmark_says_what_it_takes():
    assert "PEtab problems" in runpy.run_path(str(ROOT / "benchmarks" / "optimizers.py"))["__doc__"]
