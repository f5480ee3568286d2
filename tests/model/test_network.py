"""The adapter to bngsim against closed forms: values, sensitivities, and what one call leaves for the next."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from bnfhmc.errors import InputError
from bnfhmc.model import Failure, FailureKind, load_model

TIMES = np.array([0.0, 0.1, 0.7, 2.0, 5.5])
THETA = {"A0": 8.0, "k1": 0.9, "k2": 0.35, "s": 1.3}
OUTPUTS = ("A", "B", "C", "twoAandB", "scaledB", "ratio")


def chain(m, t):
    """A → B → C in closed form, of analytic functions only: A0, k1, k2 and s, and initial amounts where they are set."""
    k1, kd = m["k1"], 2 * m["k2"]
    A0, B0, C0 = m.get("A()", m["A0"]), m.get("B()", 0.5 * m["A0"]), m.get("C()", 1.0)
    A = A0 * np.exp(-k1 * t)
    B = B0 * np.exp(-kd * t) + A0 * k1 / (kd - k1) * (np.exp(-k1 * t) - np.exp(-kd * t))
    return np.stack([A, B, A0 + B0 + C0 - A - B, 2 * A + B, m["s"] * B, A / (A + B)], axis=1)


def chain_slopes(m, t, columns):
    return np.stack([chain({**m, c: m[c] + 1e-30j}, t).imag / 1e-30 for c in columns], axis=2)


@pytest.mark.parametrize("file", ["chain.net", "chain.bngl", "chain.ant"])
def test_values_and_sensitivities_are_those_of_the_closed_form(network, file):
    model = network(file)
    columns = ("s", "k2", "A0", "k1")  # in no file's order
    y, dy = model.solve(THETA, TIMES, OUTPUTS, columns)
    assert y.shape == (5, 6) and dy.shape == (5, 6, 4)
    np.testing.assert_allclose(y, chain(THETA, TIMES), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(dy, chain_slopes(THETA, TIMES, columns), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("file", ["chain.net", "chain.bngl", "chain.ant"])
def test_a_model_says_what_it_has(network, file):
    model = network(file)
    species = {"A", "B", "C"} if file.endswith(".ant") else {"A()", "B()", "C()"}
    parameters = {"A0": 10.0, "k1": 0.7, "k2": 0.3, "s": 1.5}
    assert model.amounts == species
    assert {q: v for q, v in model.quantities.items() if q not in species and q != "cell"} == parameters
    assert {model.quantities[q] for q in species} == {10.0, 5.0, 1.0}
    assert set(OUTPUTS) <= set(model.outputs)
    assert model.name == "chain"
    assert model.sensitivity_note(("k1", "k2")) == "" == model.sensitivity_note(())


def test_outputs_and_columns_come_in_the_order_asked_for(network):
    model = network("chain.net")
    y, dy = model.solve(THETA, TIMES, ("ratio", "A"), ("k1", "A0"))
    y2, dy2 = model.solve(THETA, TIMES, ("A", "ratio"), ("A0", "k1"))
    np.testing.assert_allclose(y, y2[:, ::-1], rtol=1e-9)
    np.testing.assert_allclose(dy, dy2[:, ::-1, ::-1], rtol=1e-6, atol=1e-8)


def test_no_columns_no_sensitivities(network):
    y, dy = network("chain.net").solve(THETA, TIMES, ("A",))
    assert y.shape == (5, 1) and dy.shape == (5, 1, 0)


def test_quantities_left_out_are_as_in_the_file(network):
    y, dy = network("chain.net").solve({"k1": 0.9}, TIMES, OUTPUTS, ("k1",))
    m = {"A0": 10.0, "k1": 0.9, "k2": 0.3, "s": 1.5}
    np.testing.assert_allclose(y, chain(m, TIMES), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(dy, chain_slopes(m, TIMES, ("k1",)), rtol=1e-6, atol=1e-7)


# initial amounts


def species(file, values):
    """The same quantities by the names that the file's format gives species."""
    return {k.replace("()", "") if file.endswith(".ant") else k: v for k, v in values.items()}


@pytest.mark.parametrize("file", ["chain.net", "chain.bngl", "chain.ant"])
@pytest.mark.parametrize(
    "amounts, columns",
    [
        ({"A()": 4.0}, ("k1", "A()", "A0")),
        ({"A()": 4.0}, ("A0", "k2")),
        ({"B()": 2.5}, ("B()", "A0")),
        ({"A()": 4.0, "B()": 2.5, "C()": 0.0}, ("k1", "C()", "A0", "A()", "B()", "s")),
        ({"A()": 8.0, "B()": 4.0}, ("A0", "k1")),  # what A0 would have made of them
    ],
)
def test_a_species_that_is_set_forgets_what_the_file_says_of_it(network, file, amounts, columns):
    model = network(file)
    y, dy = model.solve(THETA | species(file, amounts), TIMES, OUTPUTS, tuple(species(file, dict.fromkeys(columns))))
    m = THETA | amounts
    np.testing.assert_allclose(y, chain(m, TIMES), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(dy, chain_slopes(m, TIMES, columns), rtol=1e-6, atol=1e-7)


def test_a_seed_is_the_initial_amounts_own_derivative(network):
    """A(0) = 3 + k1², set by hand: its ∂/∂k1 enters with the seed, and ∂/∂A0 reaches B alone."""
    model = network("chain.net")
    columns = ("k1", "A0")
    values = THETA | {"A()": 3 + THETA["k1"] ** 2}
    y, dy = model.solve(values, TIMES, OUTPUTS, columns, {"A()": np.array([2 * THETA["k1"], 0.0])})

    def closed(m):
        return chain({**m, "A()": 3 + m["k1"] ** 2}, TIMES)

    expected = np.stack([closed({**THETA, c: THETA[c] + 1e-30j}).imag / 1e-30 for c in columns], axis=2)
    np.testing.assert_allclose(dy, expected, rtol=1e-6, atol=1e-7)


def test_an_amount_is_in_the_units_of_its_model(network):
    """In a compartment of volume 2, A is a concentration and B, which has only substance units, an amount."""
    model = network("amount.xml")
    assert model.quantities["A"] == 3.0 and model.quantities["B"] == 10.0
    y, dy = model.solve({"k": 0.7}, TIMES, ("A", "B"), ("k",))
    decay = np.exp(-0.7 * TIMES)
    np.testing.assert_allclose(y, np.outer(decay, [3.0, 10.0]), rtol=1e-7)
    np.testing.assert_allclose(dy[:, :, 0], np.outer(-TIMES * decay, [3.0, 10.0]), rtol=1e-6, atol=1e-8)
    y, dy = model.solve({"k": 0.7, "A": 5.0, "B": 6.0}, TIMES, ("A", "B"), ("A", "k", "B"))
    np.testing.assert_allclose(y, np.outer(decay, [5.0, 6.0]), rtol=1e-7)
    np.testing.assert_allclose(dy[:, 0, 0], decay, rtol=1e-6)
    np.testing.assert_allclose(dy[:, 1, 2], decay, rtol=1e-6)
    np.testing.assert_allclose(dy[:, 0, 2], 0.0, atol=1e-9)
    np.testing.assert_allclose(dy[:, :, 1], np.outer(-TIMES * decay, [5.0, 6.0]), rtol=1e-6, atol=1e-8)


# rate laws that are functions


@pytest.mark.parametrize(
    "file, values, outputs",
    [
        ("hill.net", {"vmax": 2.5, "K": 1.7, "n": 2.4, "d": 0.5, "X0": 4.0, "km": 1.1, "vc": 0.9}, ("X", "Y", "make", "turn")),
        ("sir.net", {"beta": 1.6, "gamma": 0.45, "I0": 2.0, "N": 700.0}, ("S", "I", "R")),
    ],
)
def test_sensitivities_are_difference_quotients_of_the_values(network, quotient, file, values, outputs):
    model, names, times = network(file, rtol=1e-11, atol=1e-12), tuple(values), np.array([0.0, 0.5, 3.0, 8.0])
    m = np.array(list(values.values()))
    y, dy = model.solve(values, times, outputs, names)
    expected = quotient(lambda x: model.solve(dict(zip(names, x, strict=True)), times, outputs).y, m, 2e-3)
    scale = np.abs(expected).max(axis=(0, 1))
    np.testing.assert_allclose(dy / scale, expected / scale, rtol=1e-5, atol=1e-6)
    assert (np.abs(dy[-1]).max(axis=0) > 0).all()


KEYWORDS = """
begin parameters
    1 k 0.5
    2 Vm 2
    3 Km 1.5
    4 A0 10
    5 h 2
end parameters
{functions}
begin species
    1 A() A0
    2 B() 3
    3 E() 0.8
end species
begin reactions
    1 {law}
    2 2 0 {decay}
end reactions
begin groups
    1 A 1
    2 B 2
end groups
"""
LAWS = {
    "Sat": ("1 2 Sat Vm Km", lambda A, E, m: m["Vm"] * A / (m["Km"] + A)),
    "Hill": ("1 2 Hill Vm Km h", lambda A, E, m: m["Vm"] * A ** m["h"] / (m["Km"] ** m["h"] + A ** m["h"])),
    "MM": ("1,3 2,3 MM Vm Km", lambda A, E, m: m["Vm"] * E * free(A, E, m["Km"]) / (m["Km"] + free(A, E, m["Km"]))),
}


def free(A, E, Km):
    """Substrate not bound, by the quadratic that BioNetGen's MM solves."""
    b = A - Km - E
    return 0.5 * (b + np.sqrt(b**2 + 4 * Km * A))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("with_function", [False, True], ids=["alone", "beside a function"])
def test_rate_laws_by_keyword_are_solved_or_refused(tmp_path, quotient, law, with_function):
    """Compiled code that leaves such a reaction out would be wrong in its values and in its gradient alike."""
    text, rate = LAWS[law]
    functions = "begin functions\n    1 f() k*(1+A)\nend functions" if with_function else ""
    path = tmp_path / "m.net"
    path.write_text(KEYWORDS.format(law=text, functions=functions, decay="f" if with_function else "k"))
    m = {"k": 0.5, "Vm": 2.0, "Km": 1.5, "A0": 10.0, "h": 2.0}
    times = np.array([0.0, 1.0, 3.0])
    try:
        model = load_model(path, name="m", rtol=1e-10, atol=1e-12)
        y, dy = model.solve(m, times, ("A", "B"), ("k", "Vm", "Km", "A0"))
    except InputError as error:
        assert law in str(error)
        return

    def exact(x):
        q = dict(zip(("k", "Vm", "Km", "A0"), x, strict=True), h=2.0)

        def rhs(t, s):
            v = rate(s[0], 0.8, q)
            return [-v, v - q["k"] * (1 + s[0] if with_function else 1.0) * s[1]]

        return solve_ivp(rhs, (0, 3), [q["A0"], 3.0], t_eval=times, rtol=1e-11, atol=1e-12, method="LSODA").y.T

    at = [m[q] for q in ("k", "Vm", "Km", "A0")]
    np.testing.assert_allclose(y, exact(at), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(dy, quotient(exact, at, 2e-3), rtol=1e-4, atol=1e-5)


# times


def test_times_are_exact_and_the_first_one_is_the_start(network):
    model = network("chain.net")
    uneven = np.array([0.0, 1e-6, np.pi, 4.0 + 1e-9])
    np.testing.assert_allclose(model.solve(THETA, uneven, OUTPUTS).y, chain(THETA, uneven), rtol=1e-7, atol=1e-8)
    later = np.array([3.0, 4.0])
    np.testing.assert_allclose(model.solve(THETA, later, OUTPUTS).y, chain(THETA, later - 3), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_a_single_time_is_the_initial_state(network, start):
    columns = ("A0", "k1", "s")
    y, dy = network("chain.net").solve(THETA, np.array([start]), OUTPUTS, columns)
    np.testing.assert_allclose(y, chain(THETA, np.zeros(1)), rtol=1e-9)
    np.testing.assert_allclose(dy, chain_slopes(THETA, np.zeros(1), columns), rtol=1e-9, atol=1e-9)


def test_a_row_does_not_depend_on_the_other_times_asked_for(network):
    model = network("chain.net")
    dense = model.solve(THETA, np.linspace(0, 2, 201), OUTPUTS, ("k1",))
    sparse = model.solve(THETA, np.array([0.0, 2.0]), OUTPUTS, ("k1",))
    np.testing.assert_allclose(dense.y[-1], sparse.y[-1], rtol=1e-8)
    np.testing.assert_allclose(dense.dy[-1], sparse.dy[-1], rtol=1e-6)


# one call and the next


def test_nothing_of_a_call_lingers_in_the_next(network):
    model, fresh = network("chain.net"), network("chain.net")
    columns = ("A0", "k1")
    calls = [
        (THETA, columns),
        (THETA | {"A()": 4.0}, columns),
        ({"k1": 0.2}, ("k1",)),
        (THETA | {"k1": 7.0, "A0": 1.0}, columns),
        (THETA | {"A()": 99.0, "B()": 5.0}, ("A()", "k1")),
        (THETA, ()),
    ]
    for values, by in [*calls, *reversed(calls)]:
        got = model.solve(values, TIMES, OUTPUTS, by)
        m = {"A0": 10.0, "k1": 0.7, "k2": 0.3, "s": 1.5} | values
        np.testing.assert_allclose(got.y, chain(m, TIMES), rtol=1e-7, atol=1e-8)
        if by:
            np.testing.assert_allclose(got.dy, chain_slopes(m, TIMES, by), rtol=1e-6, atol=1e-7)
    again, first = model.solve(THETA, TIMES, OUTPUTS, columns), fresh.solve(THETA, TIMES, OUTPUTS, columns)
    np.testing.assert_array_equal(again.y, first.y)
    np.testing.assert_array_equal(again.dy, first.dy)


def test_no_seed_of_a_call_lingers_in_the_next(network):
    model = network("chain.net")
    values = THETA | {"A()": 4.0}
    by_seed = [
        model.solve(values, TIMES, ("A",), ("k1",), seeds).dy[0, 0, 0]
        for seeds in ({"A()": np.array([1.0])}, {"A()": np.array([2.5])}, None, {"A()": np.array([0.0])})
    ]
    np.testing.assert_allclose(by_seed, [1.0, 2.5, 0.0, 0.0], atol=1e-12)


def test_a_failed_call_leaves_the_next_one_whole(network):
    model = network("blowup.net")
    good, bad, times = {"k": 1.0, "X0": 1.0, "n": 2.0}, {"k": 1e3, "X0": 1e6, "n": 2.0}, np.array([0.0, 0.5])
    first = model.solve(good, times, ("X",), ("k",))
    assert isinstance(model.solve(bad, times, ("X",), ("k",)), Failure)
    again = model.solve(good, times, ("X",), ("k",))
    np.testing.assert_array_equal(first.y, again.y)
    np.testing.assert_array_equal(first.dy, again.dy)
    assert first.y[1, 0] == pytest.approx(2.0, rel=1e-8) and first.dy[1, 0, 0] == pytest.approx(2.0, rel=1e-6)


def test_clones_in_threads_give_the_same_numbers(network):
    """Three threads over different values at once; each must find exactly what one thread alone finds."""
    model, columns = network("hill.net"), ("vmax", "n", "X0")
    times = np.linspace(0, 10, 11)
    points = [{"vmax": 2 + 0.1 * i, "n": 2 + 0.05 * i, "X0": 4 + 0.3 * i} for i in range(30)]
    alone = [model.solve(p, times, ("X", "Y"), columns) for p in points]
    found, clones = {}, [model.clone() for _ in range(3)]

    def work(c):
        for i in range(c, 30, 3):
            found[i] = clones[c].solve(points[i], times, ("X", "Y"), columns)

    threads = [threading.Thread(target=work, args=(c,)) for c in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(30):
        np.testing.assert_array_equal(found[i].y, alone[i].y)
        np.testing.assert_array_equal(found[i].dy, alone[i].dy)


def test_tolerances_are_those_asked_for(network):
    exact = chain(THETA, TIMES)
    errors = [
        np.abs(network("chain.net", rtol=tol, atol=tol).solve(THETA, TIMES, OUTPUTS).y - exact).max()
        for tol in (1e-4, 1e-7, 1e-11)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


# steady states


def test_a_steady_state_with_its_sensitivities(network):
    """What is made is turned over and decays: vmax Kⁿ/(Kⁿ + Yⁿ) = vc X/(km + X) = d Y."""
    values = {"vmax": 3.0, "K": 2.0, "n": 2.0, "d": 0.4, "X0": 5.0}
    columns = ("vmax", "K", "n", "d", "X0")
    y, dy = network("hill.net").equilibrate(values, 1e6, ("X", "Y"), columns)
    assert y.shape == (1, 2) and dy.shape == (1, 2, 5)

    def balance(m, Y):
        return m["vmax"] * m["K"] ** m["n"] / (m["K"] ** m["n"] + Y ** m["n"]) - m["d"] * Y

    X, Y = y[0]
    assert balance(values, Y) == pytest.approx(0.0, abs=1e-7)
    assert pytest.approx(1.5 * 0.4 * Y / (1.2 - 0.4 * Y), rel=1e-6) == X
    slope = balance(values, Y + 1e-30j).imag / 1e-30
    for c, name in enumerate(columns):
        expected = 0.0 if name == "X0" else -balance({**values, name: values[name] + 1e-30j}, Y).imag / 1e-30 / slope
        assert dy[0, 1, c] == pytest.approx(expected, rel=1e-5, abs=1e-6), name


def test_a_steady_state_keeps_what_is_conserved(network):
    """The chain ends with everything in C."""
    y, dy = network("chain.net").equilibrate(THETA, 1e6, ("A", "C"), ("A0", "k1"))
    np.testing.assert_allclose(y[0], [0.0, 1.5 * 8 + 1], atol=1e-6)
    np.testing.assert_allclose(dy[0], [[0.0, 0.0], [1.5, 0.0]], atol=1e-6)


def test_what_never_settles_is_a_failure(network):
    failure = network("blowup.net").equilibrate({"k": 1.0, "X0": 1.0, "n": 0.0}, 100.0, ("X",))
    assert isinstance(failure, Failure) and failure.kind == FailureKind.SOLVER and failure.message


# failures


HOPELESS = [
    ({"k": 1.0, "X0": 2.0, "n": 2.0}, FailureKind.SOLVER),  # infinite at t = ½
    ({"k": 1e3, "X0": 1e6, "n": 2.0}, FailureKind.SOLVER),
    ({"k": 1e300, "X0": 1e300, "n": 2.0}, FailureKind.SOLVER),
    ({"k": float("nan"), "X0": 1.0, "n": 2.0}, FailureKind.SOLVER),
    ({"k": 1.0, "X0": float("nan"), "n": 2.0}, FailureKind.SOLVER),
    ({"k": 1.0, "X0": -1.0, "n": 1.5}, None),
    ({"k": 1.0, "X0": 1.0, "n": 400.0}, FailureKind.SOLVER),
]


@pytest.mark.parametrize("values, kind", HOPELESS)
@pytest.mark.parametrize("columns", [(), ("k", "X0", "n")], ids=["values", "gradient"])
def test_a_hopeless_point_is_a_named_failure_and_prints_nothing(network, capfd, values, kind, columns):
    failure = network("blowup.net").solve(values, np.array([0.0, 0.5, 0.9]), ("X", "f"), columns)
    assert isinstance(failure, Failure)
    assert failure.kind in ({kind} if kind else {FailureKind.SOLVER, FailureKind.NONFINITE})
    assert failure.message
    assert capfd.readouterr() == ("", "")


def test_the_c_library_is_silent_in_a_process_of_its_own(model_path):
    """SUNDIALS reads where to write its warnings when it is loaded, so a fresh process is what counts."""
    program = f"""
import numpy as np
from pathlib import Path
from bnfhmc.model import load_model
model = load_model(Path({str(model_path("blowup.net"))!r}), name="b")
for values in ({{"k": 1.0, "X0": 2.0, "n": 2.0}}, {{"k": 1e300, "X0": 1e300, "n": 2.0}}, {{"k": 1.0, "X0": 1.0, "n": 400.0}}):
    for columns in ((), ("k", "X0")):
        failure = model.solve(values, np.array([0.0, 0.5, 0.9]), ("X",), columns)
        assert failure.kind == "solver", failure
"""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SUNLOGGER")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_solve_out_of_time_is_a_timeout(tmp_path):
    """A rate that changes sign within the smallest of steps."""
    text = """
begin parameters
    1 k 1e4
end parameters
begin functions
    1 f() k*sin(1e7*X)
end functions
begin species
    1 X() 1
end species
begin reactions
    1 0 1 f
end reactions
begin groups
    1 X 1
end groups
"""
    path = tmp_path / "slow.net"
    path.write_text(text)
    model = load_model(path, name="slow", timeout_s=1e-6)
    failure = model.solve({"k": 1e4}, np.linspace(0, 1000, 2000), ("X",))
    assert isinstance(failure, Failure) and failure.kind == FailureKind.TIMEOUT


# what cannot be differentiated stops the program

UNDERIVABLE = {
    "a rule with floor": "Y := floor(k1*A);",
    "a rule with a condition": "Y := piecewise(k1*A, A > 5, 2*k1);",
    "a rule with factorial": "Y := factorial(k1*A);",
    "a species under such a rule": "species Y; Y := floor(k1*A);",
    "a rule with a rate": "Y := rateOf(A);",
    "an event that two things trigger": "Y := A; at (time > k1 && A < 8): A = A + k1;",
    "an event that is delayed": "Y := A; at 0.3 after (time > k1): A = A + k1;",
}


@pytest.mark.parametrize("kind", UNDERIVABLE)
def test_what_cannot_be_differentiated_is_refused_by_name(tmp_path, recwarn, kind):
    path = tmp_path / "m.ant"
    path.write_text(
        "model m()\n compartment cell = 1; species A in cell;\n k1 = 0.7; k2 = 0.83; A = 10;\n"
        f" J1: A -> ; cell*k2*A;\n {UNDERIVABLE[kind]}\nend\n"
    )
    model = load_model(path, name="m")
    values, times = {"k1": 0.7, "k2": 0.83}, np.array([0.0, 0.5, 0.9])
    assert np.isfinite(model.solve(values, times, ("Y",)).y).all()
    with pytest.raises(InputError) as error:
        model.solve(values, times, ("Y",), ("k1", "k2"))
    assert "differentiated" in str(error.value) and "m" in str(error.value)
    if "event" not in kind:
        assert "Y" in str(error.value)
        # and the rest of the model is none the worse
        assert np.isfinite(model.solve(values, times, ("A",), ("k1", "k2")).dy).all()
    assert all("bngsim" in w.filename for w in recwarn.list)  # bngsim warns of a blind row in its own words


def test_a_single_bad_row_at_the_start_names_no_output(network):
    """∂/∂n of k Xⁿ at X = 0 is fine, ∂/∂X0 of it is not for n < 1: a point that fails, not a model."""
    failure = network("blowup.net").solve({"k": 1.0, "X0": 0.0, "n": 0.5}, np.array([0.0]), ("X", "f"), ("X0", "n"))
    assert isinstance(failure, Failure)


def test_sensitivities_that_are_difference_quotients_are_announced(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text(
        "model m()\n compartment cell = 1; species A in cell;\n k1 = 0.7; A = 10;\n"
        " J1: A -> ; cell*factorial(k1*A)/1e6;\nend\n"
    )
    assert "could not be differentiated" in load_model(path, name="m").sensitivity_note(("k1",))


# the integrator's steps


def test_the_steps_of_the_integrator_are_counted_once_a_run(network):
    model = network("chain.net")
    assert model.solver_steps == 0
    model.solve(THETA, TIMES, OUTPUTS, ("k1",))
    model.solve({**THETA, "k1": 0.8}, TIMES, OUTPUTS, ("k1",))
    before = model.solver_steps
    model.solve({**THETA, "k1": 0.7}, TIMES, OUTPUTS, ("k1",))
    once = model.solver_steps - before
    (lane,) = (lane for lane in model._lanes.values() if lane.columns)
    assert once == lane._last[1].arrays.solver_stats.n_steps > 10
    model.solve({**THETA, "k1": 0.7}, TIMES, OUTPUTS, ("k1",))  # the run before, which costs no step
    assert model.solver_steps == before + once
    assert model.clone().solver_steps == 0


def test_large_numbers_are_finite_and_no_warning(recwarn):
    from bnfhmc.model.network import _finite

    assert _finite(np.array([1e200, -1e300])) and _finite(np.zeros((2, 0)))
    assert not _finite(np.array([1.0, np.inf])) and not _finite(np.array([np.nan, 1e200]))
    assert not recwarn.list
