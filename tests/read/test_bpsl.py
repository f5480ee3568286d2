"""Constraint files: every clause, and every mistake of a file at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfhmc.errors import InputError
from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge, Inequality
from bnfhmc.noise.constraint_timing import At, Between, Crossing, Split, Whole
from bnfhmc.read.bpsl import read_constraints


@pytest.fixture
def read(tmp_path):
    def reader(text):
        (tmp_path / "d1.prop").write_text(text, encoding="utf-8")
        return read_constraints(tmp_path / "d1.prop")

    return reader


@pytest.fixture
def mistakes(read):
    def reader(text):
        with pytest.raises(InputError) as error:
            read(text)
        return [str(m).replace(str(m.path), m.path.name) for m in error.value.mistakes]

    return reader


@pytest.mark.parametrize(
    "text, inequality",
    [
        ("A < B", Inequality("A", "B")),
        ("A <= B", Inequality("A", "B", True)),
        ("A > B", Inequality("B", "A")),
        ("A>=B", Inequality("B", "A", True)),
        ("A < 4.5", Inequality("A", 4.5)),
        ("A>-4.5e-3", Inequality(-4.5e-3, "A")),
        ("1E2<A", Inequality(100.0, "A")),
        (".5 < A", Inequality(0.5, "A")),
        ("d2.A < _b1", Inequality("d2.A", "_b1")),
        ("at < once", Inequality("at", "once")),
    ],
)
def test_inequality(read, text, inequality):
    (c,) = read(f"{text} always")
    assert c.inequality == inequality and c.timing == Whole() and c.penalty == Hinge()


@pytest.mark.parametrize(
    "text, timing",
    [
        ("always", Whole()),
        ("ONCE", Whole(once=True)),
        ("at 6", At(Crossing(6.0))),
        ("at6.5", At(Crossing(6.5))),
        ("At 6 before", At(Crossing(6.0, before=True))),
        ("at B=6", At(Crossing(6.0, "B"))),
        ("at B = -6e1 first", At(Crossing(-60.0, "B"))),
        ("at d2.B=6 everytime before", At(Crossing(6.0, "d2.B", True), everytime=True)),
        ("at B=6 before everytime", At(Crossing(6.0, "B", True), everytime=True)),
        ("at time=6", At(Crossing(6.0))),
        ("between 7,B=6", Between(Crossing(7.0), Crossing(6.0, "B"))),
        ("between C = 1 , 8", Between(Crossing(1.0, "C"), Crossing(8.0))),
        ("once between 7,9", Between(Crossing(7.0), Crossing(9.0), once=True)),
        ("once   between 7, 9", Between(Crossing(7.0), Crossing(9.0), once=True)),
    ],
)
def test_timing(read, text, timing):
    (c,) = read(f"A < 4 {text}")
    assert c.inequality == Inequality("A", 4.0) and c.timing == timing


@pytest.mark.parametrize(
    "text, inequality, timing",
    [
        ("A at 5 < B at C=6", Inequality("A", "B"), Split(Crossing(5.0), Crossing(6.0, "C"))),
        ("A at 5 first>=B at C=6 before", Inequality("B", "A", True), Split(Crossing(6.0, "C", True), Crossing(5.0))),
        ("A at 5 <= A at 6", Inequality("A", "A", True), Split(Crossing(5.0), Crossing(6.0))),
    ],
)
def test_a_moment_for_each_side(read, text, inequality, timing):
    (c,) = read(text + " weight 2")
    assert (c.inequality, c.timing, c.penalty) == (inequality, timing, Hinge(2.0))


@pytest.mark.parametrize(
    "text, penalty",
    [
        ("", Hinge(1.0)),
        ("weight 2.5", Hinge(2.5)),
        ("WEIGHT 2 MIN 3", Hinge(2.0, 3.0)),
        ("weight 2 altpenalty A2<4 min 3", Hinge(2.0, 3.0, Inequality("A2", 4.0))),
        ("weight 2 min 3 altpenalty 4 >= A2", Hinge(2.0, 3.0, Inequality("A2", 4.0, True))),
        ("confidence 0.5", Bernoulli("probit", 0.0, 0.25, 0.75)),
        ("confidence 0.5 tolerance 2", Bernoulli("probit", 2.0, 0.25, 0.75)),
        ("pmin 0.1 pmax 0.8", Bernoulli("probit", 0.0, 0.1, 0.8)),
        ("pmin 0.1 pmax 0.8 tolerance 2", Bernoulli("probit", 2.0, 0.1, 0.8)),
        ("logit scale 2", Bernoulli("logit", 2.0)),
        ("logit scale 2 pmin 0.1 pmax 0.8", Bernoulli("logit", 2.0, 0.1, 0.8)),
    ],
)
def test_penalty(read, text, penalty):
    (c,) = read(f"A < 4 at 6 {text}")
    assert c.penalty == penalty and c.timing == At(Crossing(6.0))


def test_lines_and_places(read, tmp_path):
    first, second = read("\ufeff# heading\r\n\r\n  A < 4 always  # why µ\r\n\t# A < 5 always\r\nB<4 at 6#x\r\n")
    assert (first.text, first.line, first.path) == ("A < 4 always", 3, tmp_path / "d1.prop")
    assert (second.text, second.line) == ("B<4 at 6", 5)
    assert read("# nothing holds\n") == () == read("")


def test_all_the_mistakes_of_a_file_at_once(mistakes):
    said = mistakes("A < 4 allways\nA < 4 always\nB 4 at 6\n# A <\nC < 4 at 6 wieght 3\n")
    assert said == [
        "d1.prop:1: 'allways' stands where a timing should; did you mean 'always'?",
        "d1.prop:3: '4' stands where an inequality should; an inequality is <, <=, > or >=",
        "d1.prop:5: 'wieght' stands where a penalty should; did you mean 'weight'?",
    ]


@pytest.mark.parametrize(
    "text, said",
    [
        ("A < 4", "a timing is missing; type one of always, once, at, between"),
        ("A < ", "an output or a number is missing"),
        ("A =< 4 always", "'=<' stands where an inequality should; an inequality is <, <=, > or >="),
        ("A == 4 always", "'==' stands where an inequality should; an inequality is <, <=, > or >="),
        ("A ≤ 4 always", "'≤' stands where an inequality should; an inequality is <, <=, > or >="),
        ("A <> 4 always", "'<>' stands where an inequality should; an inequality is <, <=, > or >="),
        ("3 < 4 always", "it compares two numbers; one side has to be an output"),
        ("A < A once", "it compares 'A' with itself"),
        ("A < inf always", "'inf' is no number to compare with; type a finite number"),
        ("A < 1e999 always", "'1e999' is too large for a number"),
        ("A() < 4 always", "'A(' is no name; type 'A' without brackets"),
        ("d.A.b < 4 always", "'d.A.b' names no output; a name is 'output' or 'experiment.output'"),
        ("A. < 4 always", "'A.' names no output; a name is 'output' or 'experiment.output'"),
        ("A < 4 at", "a time or 'output = value' is missing"),
        ("A < 4 at_x=3", "'at_x=3' stands where a timing should; did you mean 'at'?"),
        ("A < 4 at B", "'=' and a value is missing; a moment is a time or 'B = value'"),
        ("A < 4 at B<5", "'<5' stands where '=' and a value should; a moment is a time or 'B = value'"),
        ("A < 4 at B=", "the number of 'B =' is missing"),
        ("A < 4 at 6 everytime first", "'everytime first' contradicts or repeats itself; keep one of each"),
        ("A < 4 between 7", "',' and the end of the interval is missing"),
        ("A < 4 between 7 9", "'9' stands where ',' and the end of the interval should"),
        ("A < 4 between 9,7", "between 9,7 ends no later than it starts"),
        ("A < 4 always once",
         "'once' stands where a penalty should; a constraint has one timing; write a line for each"),
        ("A < 4 always everytime", "'everytime' stands where a penalty should; it follows 'at …'"),
        ("A < 4 always min 3", "'min' stands where a penalty should; it follows a weight: type 'weight 1 min …'"),
        ("A < 4 always tolerance 3",
         "'tolerance' stands where a penalty should; it follows 'confidence …' or 'pmin … pmax …'"),
        ("A < 4 always weight", "the number of 'weight' is missing"),
        ("A < 4 always weight heavy", "'heavy' stands where the number of 'weight' should"),
        ("A < 4 always weight -3", "weight -3 would reward a broken constraint; a weight is 0 or more"),
        ("A < 4 always weight 3 min 1 min 2", "'min' is given twice; keep one"),
        ("A < 4 always weight 3 min -1", "min -1 says nothing; a least penalty is 0 or more"),
        ("A < 4 always weight 3 altpenalty 4 < 5", "it compares two numbers; one side has to be an output"),
        ("A < 4 always weight 3 confidence 0.9",
         "'confidence' stands where the end of the line should; a constraint has one penalty; keep one"),
        ("A < 4 always confidence 98", "confidence 98 is no probability; type 'confidence 0.98'"),
        ("A < 4 always confidence -1", "confidence -1 is no probability; type one from 0 to 1"),
        ("A < 4 always confidence 0.9 tolerance -1", "tolerance -1 is no width; a tolerance is 0 (a step) or more"),
        ("A < 4 always pmin 0.1", "'pmax' and a number is missing; type pmax"),
        ("A < 4 always pmin 0.9 pmax 0.1", "pmin 0.9 and pmax 0.1 are not 0 ≤ pmin ≤ pmax ≤ 1 with pmax above 0"),
        ("A < 4 always logit 2", "'2' stands where 'scale' and a number should; type scale"),
        ("A < 4 always logit scale 0", "scale 0 is no width; a logit scale is above 0"),
        ("A < 4 always weight 1 ; no", "';' stands where the end of the line should"),
        ("A at 5 < 4 at 6", "'4' is no output, and has no 'at'; write 'A < 4 at …'"),
        ("A at 5 < B", "'at' and the moment of the right side is missing; type at"),
        ("A at 5 everytime < B at 6",
         "'everytime' cannot pair the moments of two sides; delete it; the first are taken"),
        ("A at 5 at 6", "'at' stands where an inequality should; an inequality is <, <=, > or >="),
        ("!", "'!' stands where an output or a number should"),
    ],
)  # fmt: skip
def test_one_mistake(mistakes, text, said):
    assert mistakes(text) == [f"d1.prop:1: {said}"]


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path):
    (tmp_path / "d1.prop").write_bytes(b"A < 4 always\n\xff\xfe")
    with pytest.raises(InputError, match=r"d1.prop:2: no UTF-8 text"):
        read_constraints(tmp_path / "d1.prop")
    with pytest.raises(InputError, match=r"d2.prop' not found; did you mean 'd1.prop'\?"):
        read_constraints(tmp_path / "d2.prop")


WORDS = [
    "A", "B", "d.A", "é", "<", ">=", ",", "=", "#", "6", "-1e3", "0.5", "at", "once", "between", "always", "first",
    "everytime", "before", "weight", "min", "altpenalty", "confidence", "pmin", "pmax", "tolerance", "logit", "scale",
]  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_is_read_or_refused_at_its_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.prop"
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        for c in read_constraints(path):
            assert c.check() == [] and c.line is not None
    except InputError as error:
        assert all(m.path == path and m.what for m in error.mistakes)
