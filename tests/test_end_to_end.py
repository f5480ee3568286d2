"""A configuration on disk, one command, and what it leaves: as a user meets it, with a real model."""

import json
import subprocess
import sys

import numpy as np
import pytest

NET = """begin parameters
    1 k   0.5
    2 A0  10
end parameters
begin species
    1 A() A0
end species
begin reactions
    1 1 0 k
end reactions
begin groups
    1 A 1
end groups
"""
CONF = """edition = 2
fit_type = nuts
model: decay.net
experiment: d1, data: d1.exp
objective = chi_sq
parameter: k, prior: uniform, parameter_scale: log10, lower: 0.01, upper: 10
parameter: A0, prior: normal, mean: 9, sd: 3, lower: 0
population_size = 4
num_warmup = 300
num_samples = 500
random_seed = 7
output_dir = out
"""


@pytest.fixture
def conf(tmp_path):
    t = np.array([0.0, 0.5, 1, 2, 3, 5])
    noise = np.array([0.3, -0.4, 0.1, 0.25, -0.3, 0.05])
    rows = "\n".join(f"{a} {b} 0.4" for a, b in zip(t, 10 * np.exp(-0.5 * t) + noise, strict=True))
    (tmp_path / "d1.exp").write_text(f"# time A A_SD\n{rows}\n")
    (tmp_path / "decay.net").write_text(NET)
    (tmp_path / "fit.conf").write_text(CONF)
    return tmp_path / "fit.conf"


def bnfhmc(conf, *args):
    done = subprocess.run(
        [sys.executable, "-m", "bnfhmc", *args], cwd=conf.parent, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def exact_moments():
    """Mean and sd of k and A0 by quadrature over the closed form A0 exp(−k t), k ~ log-uniform, A0 ~ N(9, 3) above 0."""
    t = np.array([0.0, 0.5, 1, 2, 3, 5])
    obs = 10 * np.exp(-0.5 * t) + np.array([0.3, -0.4, 0.1, 0.25, -0.3, 0.05])
    k, A0 = np.meshgrid(np.geomspace(0.2, 1.2, 801), np.linspace(7, 13, 801), indexing="ij")
    loss = sum((A0 * np.exp(-k * s) - o) ** 2 for s, o in zip(t, obs, strict=True)) / (2 * 0.4**2)
    weight = np.exp(-loss - (A0 - 9) ** 2 / 18)  # uniform in log k: the grid is
    weight /= weight.sum()
    means = [(weight * x).sum() for x in (k, A0)]
    return means, [np.sqrt((weight * (x - m) ** 2).sum()) for x, m in zip((k, A0), means, strict=True)]


def test_one_command_gives_the_posterior(conf):
    done = bnfhmc(conf, "run", "fit.conf")
    assert done.returncode == 0, done.stderr
    assert "R-hat" in done.stdout or "rhat" in done.stdout.lower()
    out = conf.parent / "out"
    assert sorted(p.name for p in out.iterdir()) == ["checkpoint", "posterior.nc", "run.json", "samples.txt"]
    record = json.loads((out / "run.json").read_text())
    assert record["versions"]["bngsim"]
    header, *lines = (out / "samples.txt").read_text().splitlines()
    assert header.split() == ["#", "Name", "Ln_probability", "A0", "k"] and len(lines) == 2000
    draws = np.array([[float(x) for x in line.split("\t")[2:]] for line in lines])
    means, sds = exact_moments()
    # 5 standard errors at an ESS of 400: a false alarm in about a million comparisons
    for j, x in ((1, 0), (0, 1)):
        assert abs(draws[:, j].mean() - means[x]) < 5 * sds[x] / np.sqrt(400)
        assert abs(draws[:, j].std() - sds[x]) < 5 * sds[x] / np.sqrt(2 * 400)

    again = bnfhmc(conf, "run", "fit.conf")
    assert again.returncode == 2 and "--overwrite" in again.stderr
    samples = (out / "samples.txt").read_text()
    alone = bnfhmc(conf, "-c", "fit.conf", "-o", "out1", "--cores", "1", "--quiet")
    assert alone.returncode == 0
    assert (conf.parent / "out1" / "samples.txt").read_text() == samples  # the same draws on one core as on all


def test_too_few_draws_end_with_three_and_words(conf):
    conf.write_text(CONF.replace("num_samples = 500", "num_samples = 20").replace("num_warmup = 300", "num_warmup = 20"))
    done = bnfhmc(conf, "run", "fit.conf", "--quiet")
    assert done.returncode == 3
    assert "ESS" in done.stdout


@pytest.mark.parametrize(
    "change, said",
    [
        (("model: decay.net", "model: gone.net"), ["fit.conf:3", "gone.net"]),
        (("mean: 9, sd: 3", "mean: 9, sd: -3"), ["fit.conf:7", "sd"]),
        (("parameter: k,", "parameter: kk,"), ["fit.conf:6", "kk", "did you mean"]),
        (("target", "target"), []),
    ],
)
def test_a_mistake_ends_with_two_and_one_clear_message(conf, change, said):
    if not said:
        (conf.parent / "d1.exp").write_text("time A A_SD\n0 1 0.4\n1 2\n")
        said = ["d1.exp:3"]
    conf.write_text(CONF.replace(*change))
    done = bnfhmc(conf, "run", "fit.conf")
    assert done.returncode == 2 and not (conf.parent / "out").exists()
    for words in said:
        assert words in done.stderr


def test_a_model_that_cannot_be_loaded_is_named(conf):
    (conf.parent / "decay.net").write_text("this is no network")
    done = bnfhmc(conf, "run", "fit.conf")
    assert done.returncode == 2 and "decay.net" in done.stderr
