"""Objectives without a model, read from the same lines by PyBNF and here."""

import warnings

import numpy as np
import pytest

pytest.importorskip("pybnf", reason="pybnf (test extra) is not installed")

from pybnf.analytical_model import INLINE_TARGET_SCHEMAS  # noqa: E402
from pybnf.config import Configuration  # noqa: E402
from pybnf.parse import ploop  # noqa: E402
from pybnf.printing import PybnfError  # noqa: E402

from bnfhmc.errors import InputError  # noqa: E402
from bnfhmc.noise.target import TARGETS, CallableTarget, load_callable, parse_target  # noqa: E402

LINES = [
    "banana",
    "banana, a = 2, b = 7",
    "gaussian, mean = 0.5 -1, variance = 1 3",
    "rotated_gaussian, mean = 1 -1, variances = 2 0.5, angle = 0.6",
    "rotated_gaussian, mean = 1 -1, variances = 2 0.5",
    "rotated_quartic, mean = 1 -1, angle = 0.6, coeff = 0.01 1",
    "multimodal",
]
MODES = ["weight = 0.5, mean = -4 -4, variance = 0.5 0.5", "mean = 4 4, variance = 1 2"]
POINTS = np.random.default_rng(8).normal(scale=3, size=(6, 2))


def theirs_of(folder, *lines, names=("x2", "x1")):
    """PyBNF's loss as a function of a dict, from the lines of a configuration."""
    text = ["edition = 2", "job_type = am", "population_size = 4", "max_iterations = 1", "verbosity = 0",
            f"output_dir = {folder}/out"]  # fmt: skip
    text += [f"parameter: {n}, prior: uniform, lower: -50, upper: 50" for n in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (model,) = Configuration(ploop([f"{line}\n" for line in (*text, *lines)])).models.values()

    def loss(theta):
        (scored,) = model.copy_with_param_set(theta).execute("", "", 1).values()
        return scored.data[0, 1]

    return loss


def items(text):
    return [part.strip() for part in text.split(",")]


@pytest.mark.parametrize("line", LINES)
def test_the_loss_of_a_named_target(tmp_path, line):
    modes = MODES if line == "multimodal" else []
    theirs = theirs_of(tmp_path, f"objective = {line}", *(f"mode: {m}" for m in modes))
    word, *fields = items(line)
    ours = parse_target(word, fields, [items(m) for m in modes], None, ("x2", "x1"))
    for theta in POINTS:
        expected = theirs(dict(zip(ours.names, theta, strict=True)))
        assert ours.loss(theta) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_banana_in_many_dimensions(tmp_path):
    names = tuple(f"p{i}" for i in (11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1))
    theirs = theirs_of(tmp_path, "objective = banana", names=names)
    ours = parse_target("banana", (), (), None, names)
    theta = np.random.default_rng(9).normal(size=11)
    assert ours.loss(theta) == pytest.approx(theirs(dict(zip(ours.names, theta, strict=True))), rel=1e-12)


def test_the_named_targets_and_their_fields_are_all_there():
    for word, schema in INLINE_TARGET_SCHEMAS.items():
        assert {f: kind for f, (kind, _) in schema.items()} == {
            **{f: "vector" for f in TARGETS[word].vectors}, **{f: "scalar" for f in TARGETS[word].numbers},
        }  # fmt: skip
    assert set(TARGETS) - set(INLINE_TARGET_SCHEMAS) == {"funnel"}


@pytest.mark.parametrize("line, names", [
    ("gaussian, mean = 0 0 0, variance = 1 1 1", ("x1", "x2")),
    ("gaussian, mean = 0 0", ("x1", "x2")),
    ("banana, c = 1", ("x1", "x2")),
    ("banana, a = 1 2", ("x1", "x2")),
    ("banana", ("x1", "x3")),
    ("banana", ("x", "x2")),
    ("multimodal", ("x1", "x2")),
])  # fmt: skip
def test_what_both_refuse(tmp_path, line, names):
    with pytest.raises(PybnfError):
        theirs_of(tmp_path, f"objective = {line}", names=names)
    word, *fields = items(line)
    with pytest.raises(InputError):
        parse_target(word, fields, (), None, names)


# log10 and log2 are left out: PyBNF 1.8.1 reads them and then fails at every point
@pytest.mark.parametrize("text", [
    "0.5*((1 - x1)^2 + 100*(x2 - x1^2)^2)", "exp(-x1)/(1 + x2^2) - 2^-3", "ln(1 + x1^2) + log(2 + x2^2)",
    "abs(x1) + max(x1, x2) + sqrt(1 + x2^2)", "-x1^2 + x2",
])  # fmt: skip
def test_an_expression(tmp_path, text):
    pytest.importorskip("petab", reason="petab, which PyBNF reads expressions with, is not installed")
    theirs = theirs_of(tmp_path, "objective = expression", f"expression = {text}")
    ours = parse_target("expression", (), (), text, ("x2", "x1"))
    for theta in POINTS:
        assert ours.loss(theta) == pytest.approx(theirs(dict(zip(ours.names, theta, strict=True))), rel=1e-12)


def test_an_expression_over_two_data_files(tmp_path):
    pytest.importorskip("petab", reason="petab, which PyBNF reads expressions with, is not installed")
    first, second = np.array([[0, 1.0], [1, 1.7], [2, 2.1]]), np.array([[0.5, 1.3], [4, 2.6]])
    for stem, rows in (("c1", first), ("c2", second)):
        np.savetxt(tmp_path / f"{stem}.exp", rows, header="x y")
    text = "0.5*((y - vmax*x/(km + x))/0.3)^2 + 0.1*vmax"
    theirs = theirs_of(tmp_path, "objective = expression", f"expression = {text}",
                       f"data = {tmp_path}/c1.exp, {tmp_path}/c2.exp", names=("km", "vmax"))  # fmt: skip
    both = np.vstack([first, second])
    ours = parse_target("expression", (), (), text, ("km", "vmax"), {"x": both[:, 0], "y": both[:, 1]})
    assert ours.loss(np.array([0.7, 3.0])) == pytest.approx(theirs({"km": 0.7, "vmax": 3.0}), rel=1e-12)


def test_a_callable_written_for_pybnf(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def nll(params, data=None):\n"
        "    return params['x1'] * (data['c1']['x'] * data['c1']['y']).sum() + params['x2']\n"
    )
    np.savetxt(tmp_path / "c1.exp", [[0, 1.0], [2, 3.0]], header="x y")
    theirs = theirs_of(tmp_path, "objective = callable", f"callable = {tmp_path}/mine.py:nll",
                       f"data = {tmp_path}/c1.exp")  # fmt: skip
    data = {"c1": {"x": np.array([0, 2.0]), "y": np.array([1, 3.0])}}
    ours = CallableTarget(("x2", "x1"), load_callable("mine.py:nll", tmp_path, allow=True), data)
    assert ours.loss(np.array([5.0, 2.0])) == theirs({"x1": 2.0, "x2": 5.0}) == 17.0
