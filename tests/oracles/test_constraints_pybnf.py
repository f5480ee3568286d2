"""Constraints scored by PyBNF and by us: the same text, the same trajectory, the same loss and gradient."""

import itertools

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.noise import Formula
from bnfhmc.noise.constraint import configured
from bnfhmc.read.bpsl import read_constraints

pybnf_constraint = pytest.importorskip("pybnf.constraint", reason="PyBNF is not installed: pip install pybnf==1.8.1")
pybnf_data = pytest.importorskip("pybnf.data", reason="PyBNF is not installed: pip install pybnf==1.8.1")

TIMES = np.array([0, 0.5, 1, 2, 3, 4, 4.5, 5, 6, 7, 8, 9, 10.0])
TIMINGS = (
    "A < B always", "A <= 1.2 always", "2.5 > A always", "A >= B once", "A < 0.3 once", "C > A AT 6", "A<B at 3.7",
    "A < B at 6 before", "A < B at C=1", "A < B at C=1 everytime", "A > B at C=1 first before",
    "A < B at C = 1 everytime before", "A > time at 3", "A<B between 3,8", "A > B between 2.2,C=1",
    "A < B between C=1,8.5", "A < B between C=1,C=1", "A < B between 7, 30", "A>B once between 3,7",
    "A < B once between C=1,9", "A at 5 < B at C=1", "A at 5 before > B at C=1", "A at C=1 <= B at C=0.8 before",
    "A at 5 first < A at 9",
)  # fmt: skip
PENALTIES = (
    "", "weight 2.5", "weight 3 min 0.7", "weight 2 altpenalty C<-0.5", "weight 2 altpenalty B >= A min 0.2",
    "weight 0", "confidence 0.98 tolerance 0.6", "confidence 0.9", "pmin 0.02 pmax 0.95 tolerance 0.4",
    "pmin 0.1 pmax 0.8", "logit scale 0.3", "logit scale 0.5 pmin 0.01 pmax 0.97",
)  # fmt: skip
LINES = tuple(f"{timing} {penalty}".strip() for timing, penalty in itertools.product(TIMINGS, PENALTIES))


def trajectory(seed):
    """Three smooth outputs whose values meet no number in LINES."""
    rng = np.random.default_rng(seed)
    t = TIMES[:, None, None]
    a, w, phase = rng.uniform(0.2, 1.0, (1, 3, 4)), rng.uniform(0.2, 1.5, (1, 3, 4)), rng.uniform(0, 6, (1, 3, 4))
    y = 1.0 + (a * np.sin(w * t + phase)).sum(axis=-1)
    y[:, 0] += (-2.0, 0.0, 2.0)[seed % 3]  # so that A lies below B all the time, crosses it, or lies above
    return dict(zip("ABC", y.T, strict=True)), rng.normal(size=(3, len(TIMES), 2))


TRAJECTORIES = tuple(trajectory(seed) for seed in range(9))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("bpsl") / "d1.prop"
    file.write_text("# the whole language\n\n" + "\n".join(LINES) + "  # the last\n")
    return file


def theirs_of(path, **settings):
    loaded = pybnf_constraint.ConstraintSet("m", "d1")
    loaded.load_constraint_file(str(path), **settings)
    return loaded.constraints


def scored(theirs, y, dy, values=None):
    """PyBNF's loss and its gradient by two parameters and, as the third, by a fitted scale 's'."""
    table = pybnf_data.Data.from_columns(np.column_stack([TIMES, *y.values()]), ["time", *y])
    simulated = {"m": {"d1": table}}

    def sensitivity(model, suffix, output, row):
        return np.zeros(3) if output == "time" else np.append(dy["ABC".index(output), row], 0.0)

    loss = theirs.penalty(simulated, values)
    if isinstance(theirs, pybnf_constraint.SplitAtConstraint) and theirs.penalty_model == "static":
        return loss, None  # PyBNF reads the rows of both sides from the first side's to the second's, or none at all
    return loss, theirs.penalty_gradient(simulated, sensitivity, {"s": 2}, 3, values)


def ours_of(constraint, y, dy, scale=None):
    said = constraint.evaluate(TIMES, y, scale)
    gradient = sum((d @ dy["ABC".index(name)] for name, d in said.d_y.items()), np.zeros(2))
    return said.loss, np.append(gradient, said.d_scale if scale is not None else 0.0)


def compare(ours, theirs, scale=None):
    worst = np.zeros(len(ours))
    for y, dy in TRAJECTORIES:
        for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            loss, gradient = scored(other, y, dy, None if scale is None else {"s": scale})
            my_loss, my_gradient = ours_of(mine, y, dy, scale)
            assert my_loss == pytest.approx(loss, rel=1e-10, abs=1e-14), mine.text
            if gradient is not None:
                np.testing.assert_allclose(my_gradient, gradient, rtol=1e-9, atol=1e-12, err_msg=mine.text)
            worst[i] = max(worst[i], loss)
    return worst


def test_loss_and_gradient_of_every_timing_and_penalty(path):
    ours, theirs = read_constraints(path), theirs_of(path)
    assert len(ours) == len(LINES) == 288
    worst = compare(ours, theirs)
    # a line that costs nothing in any trajectory would compare nothing
    assert {c.text for c, w in zip(ours, worst, strict=True) if w == 0} == {f"{t} weight 0" for t in TIMINGS}


@pytest.mark.parametrize("family", ["hinge", "probit", "logit"])
def test_qualitative_loss_and_constraint_scale(tmp_path, family):
    # wide penalties, because PyBNF's normal distribution loses its digits some 4 sd into the tail
    penalties = ("weight 4", "confidence 0.98 tolerance 1.2", "pmin 0.02 pmax 0.95 tolerance 0.9", "logit scale 1.5",
                 "logit scale 0.7 pmin 0.01 pmax 0.97")  # fmt: skip
    file = tmp_path / "d1.prop"
    file.write_text("\n".join(f"{timing} {p}" for timing, p in itertools.product(TIMINGS, penalties)))
    theirs = theirs_of(file, scale=0.2, qualitative_loss=family)
    for constraint in theirs:  # a converted hinge lacks its minimum there, and fails where it is broken
        constraint.min_penalty = constraint.min_penalty or 0.0
    compare(configured(read_constraints(file), family, weight=0.2), theirs)


@pytest.mark.parametrize("family", ["probit", "logit"])
def test_qualitative_scale(tmp_path, family):
    file = tmp_path / "d1.prop"
    file.write_text("\n".join(f"{t} {p}" for t in TIMINGS for p in ("weight 2", "pmin 0.02 pmax 0.95 tolerance 0.4")))
    theirs = theirs_of(file, qualitative_loss=family, qualitative_scale="s")
    compare(configured(read_constraints(file), family, scale=Formula(parse("s"))), theirs, scale=0.9)


@pytest.mark.parametrize(
    "line, right, pybnf",
    [
        # PyBNF looks for the end from the second row after the start, and goes on to the last row
        ("A < 0 between 4.5,5", 5.0, 10.0),
        ("A < 0 between 3.2,3.7", 3.0, 10.0),
        # a time that is the first output time is never passed there, so the constraint is never asked for
        ("A < 0 at 0 weight 1 min 2", 2.0, 0.0),
        ("A < 0 between 0,5", 5.0, 0.0),
        # an alternative that has to stay above 0 is not seen there
        ("A < 4 always weight 1 altpenalty B > 0", 10.0, 6.0),
        ("A < 4 always weight 1 altpenalty 0 < B", 10.0, 6.0),
    ],
)
def test_where_pybnf_is_wrong(tmp_path, line, right, pybnf):
    file = tmp_path / "d1.prop"
    file.write_text(line)
    y = {"A": TIMES.copy(), "B": -TIMES, "C": TIMES.copy()}
    (ours,), (theirs,) = read_constraints(file), theirs_of(file)
    assert ours.evaluate(TIMES, y).loss == pytest.approx(right, rel=1e-12)
    assert scored(theirs, y, np.zeros((3, len(TIMES), 2)))[0] == pytest.approx(pybnf, rel=1e-12)


def test_a_probit_far_from_holding_stays_finite_where_pybnf_overflows(tmp_path):
    file = tmp_path / "d1.prop"
    file.write_text("A < 0 at 10 confidence 1 tolerance 1")
    y = {"A": TIMES.copy()}
    (ours,), (theirs,) = read_constraints(file), theirs_of(file)
    table = pybnf_data.Data.from_columns(np.column_stack([TIMES, TIMES]), ["time", "A"])
    with np.errstate(divide="ignore"):
        assert theirs.penalty({"m": {"d1": table}}) == np.inf
    said = ours.evaluate(TIMES, y)
    assert said.loss == pytest.approx(53.23128515051247, rel=1e-12)  # −log Φ(−10)
    assert said.d_y["A"][-1] == pytest.approx(10.0980932339625, rel=1e-12)  # φ(10)/Φ(−10)


ACCEPTED = (
    "A<5 always", "A<5 at6", "A<5 always weight2", "A<5 AT 6 Everytime BEFORE WEIGHT 3 MIN 2", "5<A once",
    "A<5 at B=6 first before", "A<5 once between 7,9", "A at5<B at6", "A<5 between7,8", "A<5E2 always", "A<-5.e3 once",
    "A<5 at  B = 6", "A <1\tALWAYS", "A<5 at 1e3", "A<5at 6", "at at 5 < B at 6", "once<5 always", "A<5 at 6weight 2",
    "A < B at 6 weight 2 altpenalty A2<4 min 3", "A<5 always logit scale 2 pmin 0.1 pmax 0.9", "A<1 always weight 1#a",
    "d.A<d2.B always", "A<5 at time=5", "A<5 always confidence 0.98", "A<5 once between B = 7 , 9 pmin 0 pmax 1",
)  # fmt: skip
REFUSED = (
    "A<5", "5<6 always", "A<5 always min 3", "A=<5 always", "A<5 at inf", "A<5 always tolerance 3", "A at 5 at 6",
    "A at 5 < 4 at 6", "A at 5 everytime < B at 6", "A.b.c<5 always x", "A<B always once", "A < 3x once", "A()<5 once",
    "A<5 always confidence 0.9 tolerance 2 weight 3", "A<5 once weight", "A<5 once logit 2", "A<5 once weight 1 ; no",
    "A<5 always pmin 0.1", "A<5 at B", "A<5 between 3", "A<5 always confidence 98", "A<5 always logit scale 0",
    "A<5 always pmin 0.9 pmax 0.1",
)  # fmt: skip


@pytest.mark.parametrize("line", ACCEPTED)
def test_what_pybnf_reads_is_read(tmp_path, line):
    (tmp_path / "d1.prop").write_text(line)
    assert len(theirs_of(tmp_path / "d1.prop")) == len(read_constraints(tmp_path / "d1.prop")) == 1


@pytest.mark.parametrize("line", REFUSED)
def test_what_pybnf_refuses_is_refused(tmp_path, line):
    (tmp_path / "d1.prop").write_text(line)
    with pytest.raises(Exception, match=r"(?s).*"):
        theirs_of(tmp_path / "d1.prop")
    with pytest.raises(ValueError, match="d1.prop:1: "):
        read_constraints(tmp_path / "d1.prop")
