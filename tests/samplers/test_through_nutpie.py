"""nutpie around our targets: known densities, seeds, failures, exceptions, and what it cannot be asked for."""

import numpy as np
import pytest

from bnfhmc.errors import GradientMismatch
from tests.samplers import targets
from tests.samplers.targets import Altered, Gaussian, correlated, standard_errors_off

pytest.importorskip("nutpie", reason="nutpie of the extra nutpie is not installed")

from bnfhmc.samplers.through_nutpie import run_nutpie  # noqa: E402


def run(target, **options):
    return run_nutpie("nuts", target, **{"random_seed": 1, "num_warmup": 300, "num_samples": 1000, "chains": 4} | options)


@pytest.mark.parametrize("density", [targets.ill_conditioned, targets.box, targets.half_open, targets.cut])
def test_moments(density):
    target = density()
    draws = run(target)
    off = {name: standard_errors_off(f(draws.z), mean) for name, (f, mean) in target.truth.items()}
    assert all(abs(t) < 5.0 for t in off.values()), off  # one false alarm in 300,000 each


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores():
    a, b, c = (run(Gaussian(correlated(3)), num_samples=50, cores=n, random_seed=s) for n, s in ((1, 1), (3, 1), (1, 2)))
    np.testing.assert_array_equal(a.z, b.z)
    assert not np.array_equal(a.z, c.z)


def test_every_solve_is_in_the_books():
    target = Gaussian(correlated(3))
    draws = run(target, num_samples=50)
    books = [t.gradients for chain in draws.chains for t in (chain.starting, chain.warmup, chain.sampling)]
    assert len(target.counted) == sum(books)
    assert all(len(chain.gradient_check.slopes) == 3 for chain in draws.chains)


def test_a_wrong_gradient_stops_the_run_before_the_first_draw():
    wrong = Altered(Gaussian(np.eye(3)), lambda z, at: at._replace(grad=at.grad * [1.0, 1.01, 1.0]))
    with pytest.raises(GradientMismatch, match="for k2: gradient "):
        run(wrong, rtol=1e-10)


def test_an_exception_of_the_target_reaches_the_caller_as_it_is():
    error, calls = KeyError("k9"), []

    def change(z, at):
        calls.append(z)
        if len(calls) > 200:
            raise error
        return at

    with pytest.raises(KeyError) as caught:
        run(Altered(Gaussian(np.eye(3)), change), check_gradient=False)
    assert caught.value is error


@pytest.mark.parametrize(("options", "said"), [
    ({"num_warmup": 0}, "num_warmup = 0: engine = nutpie needs at least 1"),
    ({"resume": True}, "a run of nutpie cannot be resumed"),
])  # fmt: skip
def test_what_it_cannot_do_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        run(Gaussian(np.eye(2)), **options)
