"""What the documentation of the optimizers types runs, and says what it says."""

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
    done = subprocess.run([sys.executable, "-W", "error", str(path), *args], cwd=ROOT, capture_output=True, text=True,
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


@pytest.mark.parametrize("method", ["nelder_mead", "differential_evolution"])
def test_the_hopf_example(tmp_path, method):
    said = run_python((ROOT / "examples" / "hopf" / "hopf.py").read_text(), tmp_path, method)
    assert float(re.search(r"a = ([\d.]+)", said).group(1)) == pytest.approx(1.5, rel=0.01)


def test_every_method_and_key_is_in_the_page():
    from bnfhmc.read.keys import OPTIMIZATION

    text = (ROOT / "docs" / "optimize.md").read_text()
    for word in (*bnfhmc.optimizers.METHODS, "profile_likelihood", *OPTIMIZATION):
        assert f"`{word}" in text, word


def test_the_benchmark_says_what_it_takes():
    assert "PEtab problems" in runpy.run_path(str(ROOT / "benchmarks" / "optimizers.py"))["__doc__"]
