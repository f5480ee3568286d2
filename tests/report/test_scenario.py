"""Predictions at other times, under other conditions, of other outputs."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.noise import Constant
from bnfhmc.noise.transform import Initial, Peak
from bnfhmc.posterior import Posterior
from bnfhmc.report.scenario import Asked, answer, parse_times, print_answer, to_csv, to_record
from tests.report.finished import DOSES, TRUE, laplace, problem

POSTERIOR = Posterior(problem())
U = POSTERIOR.u_from_theta([*TRUE.values()])[None]
DRAWS = np.array([POSTERIOR.u_from_z(z) for z in laplace(POSTERIOR, 2, 100).reshape(-1, 3)])


def predicted(asked, u=U):
    return answer(POSTERIOR, u, asked, cores=1).series


def test_other_times():
    (a,) = predicted(Asked(times=(2.5, 20.0)))
    assert (a.name, a.axis, a.rows.tolist()) == ("A", "time", [2.5, 20.0])
    np.testing.assert_allclose(a.value[2], 10 * np.exp(-0.4 * a.rows))
    (a,) = predicted(Asked(times=(0.0, 20.0)))
    assert a.rows.tolist() == [0.0, 20.0]


def test_without_times_those_of_the_experiment():
    (r,) = predicted(Asked("dose response"))
    assert (r.axis, r.rows.tolist()) == ("dose", DOSES.tolist())
    np.testing.assert_allclose(r.value[2], 10 * DOSES / (DOSES + 4))


def test_new_measurements_have_the_noise_of_the_series():
    (a,) = predicted(Asked(times=(1.0, 12.0)), np.repeat(U, 4000, axis=0))
    np.testing.assert_allclose(a.new[4] - a.value[4], 1.645 * 0.5, rtol=0.08)
    (n,) = predicted(Asked("counts", times=(30.0,)), np.repeat(U, 400, axis=0))
    np.testing.assert_allclose(n.new[4] - n.value[4], 1.645 * np.sqrt(500), rtol=0.2)


@pytest.mark.parametrize(("condition", "rate"), [("fast", 0.8), ("k=0.1", 0.1), ("k*3", 1.2), ("k *= 3", 1.2),
                                                  ("A0=10, k=sd", 0.5)])  # fmt: skip
def test_conditions(condition, rate):
    (a,) = predicted(Asked(condition=condition, times=(1.0, 3.0)))
    np.testing.assert_allclose(a.value[2], 10 * np.exp(-rate * a.rows))


def test_outputs_that_nobody_measured():
    ratio, count = predicted(Asked(outputs=("N/A", "N"), times=(1.0, 2.0)))
    decayed = 1 - np.exp(-0.4 * ratio.rows)
    np.testing.assert_allclose(ratio.value[2], 50 * decayed / (1 - decayed))
    np.testing.assert_allclose(count.value[2], 500 * decayed)
    assert ratio.new is None and count.new is None


def test_noise_known_at_its_measurements_only():
    p = problem()
    r = p.experiments[2].series[0]
    each = replace(r, sources={"sigma": Constant(np.full(4, 0.05))})
    posterior = Posterior(replace(p, experiments=(*p.experiments[:2], replace(p.experiments[2], series=(each,)))))
    (found,) = answer(posterior, U, Asked("dose response"), cores=1).series
    assert found.new is None and found.value.shape == (5, 4)


def test_quantiles_over_draws_and_cores():
    one, many = (answer(POSTERIOR, DRAWS, Asked(times=(3.0,)), cores=c, seed=2).series[0] for c in (1, 3))
    np.testing.assert_array_equal(one.new, many.new)
    theta = np.array([POSTERIOR.theta_from_u(u) for u in DRAWS])
    expected = np.quantile(theta[:, 0] * np.exp(-3 * theta[:, 1]), (0.05, 0.25, 0.5, 0.75, 0.95))
    np.testing.assert_allclose(one.value[:, 0], expected)


def test_failed_draws_are_counted():
    u = np.array([U[0], [U[0][0], U[0][1], -1.0]])
    found = answer(POSTERIOR, u, Asked(times=(1.0,)), cores=1)
    assert found.draws == 1 and found.failures == {"nonfinite": 1}
    with pytest.raises(InputError, match=r"no draw can be solved like this \(nonfinite\)"):
        answer(POSTERIOR, u[1:], Asked(times=(1.0,)), cores=1)


def with_transform(transform):
    p = problem()
    e = replace(p.experiments[0], series=(replace(p.experiments[0].series[0], transforms=(transform,)),))
    return Posterior(replace(p, experiments=(e, *p.experiments[1:])))


def test_transforms():
    (a,) = answer(with_transform(Initial()), U, Asked(times=(2.0,)), cores=1).series
    np.testing.assert_allclose(a.value[2], np.exp(-0.8))
    with pytest.raises(InputError, match="the values of 'A' depend on the times they were measured at"):
        answer(with_transform(Peak()), U, Asked(times=(2.0,)), cores=1)


@pytest.mark.parametrize(("asked", "said"), [
    (Asked("decy"), "no experiment 'decy'; did you mean 'decay'"),
    (Asked(condition="fst"), "'fst' is neither a condition nor a change; did you mean 'fast'"),
    (Asked(condition="q=3"), "no parameter or species 'q'"),
    (Asked(condition="k=(3"), r"'k=\(3' is neither"),
    (Asked(times=(-1.0,)), "starts at 0, after -1"),
    (Asked("dose response", times=(1.0,)), "has no times"),
    (Asked(outputs=("X",)), "has no output 'X'"),
    (Asked(outputs=("A+",)), r"'A\+' is no formula"),
])  # fmt: skip
def test_what_cannot_be_asked(asked, said):
    with pytest.raises(InputError, match=said):
        answer(POSTERIOR, U, asked, cores=1)


def test_times():
    assert parse_times("30,0,10") == (0.0, 10.0, 30.0) and parse_times("0:1:3") == (0.0, 0.5, 1.0)
    for wrong in ("", "a", "0:1", "1,inf", "0:1:-3", "nan"):
        with pytest.raises(InputError, match="are no times; type --times 0,10,30 or --times 0:60:61"):
            parse_times(wrong)
    with pytest.raises(InputError, match="'0:1:1000000000' are more than 100,000 times"):
        parse_times("0:1:1000000000")


def test_as_csv_json_and_table(capsys):
    from rich.console import Console

    found = answer(POSTERIOR, U, Asked(outputs=("A", 'max(A, "')[:1], times=(1.0, 2.0)), cores=1)
    rows = list(csv.DictReader(to_csv(found).splitlines()))
    assert [r["x"] for r in rows] == ["1.0", "2.0"] and rows[0]["new_q05"] == ""
    assert float(rows[1]["value_q50"]) == pytest.approx(10 * np.exp(-0.8))
    assert to_record(found)["series"][0]["new_measurement"] is None
    print_answer(Console(width=100), found)
    assert "median" in capsys.readouterr().out
