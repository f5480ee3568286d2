"""Chains that were run apart become one run."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.posterior import Posterior
from bnfhmc.report.inference_data import ln_probability
from bnfhmc.report.merge import merge
from bnfhmc.report.opened import open_run, read_run
from bnfhmc.report.samples_txt import write_samples
from tests.report.finished import draws, laplace, problem, write_run

POSTERIOR = Posterior(problem())


def written(folder, seed, posterior=POSTERIOR, num_samples=250, **given):
    made = replace(draws(posterior, laplace(posterior, 2, num_samples, seed), **given), random_seed=seed)
    made = replace(made, chains=made.chains[:2])
    write_run(folder, posterior, made)
    theta = np.array([posterior.theta_from_u(posterior.u_from_z(z)) for z in made.z.reshape(-1, 3)]).reshape(made.z.shape)
    write_samples(folder / "samples.txt", posterior.names, theta, ln_probability(posterior, made))
    return read_run(folder)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("apart")
    return written(folder / "a", 1), written(folder / "b", 2, diverging=[(1, 3)])


def test_all_chains_are_there(both, tmp_path):
    summary, verdict = merge(both, tmp_path / "all")
    found = read_run(tmp_path / "all")
    np.testing.assert_array_equal(found.z, np.concatenate([both[0].z, both[1].z]))
    np.testing.assert_array_equal(found.theta, np.concatenate([both[0].theta, both[1].theta]))
    assert found.idata.posterior.chain.values.tolist() == [0, 1, 2, 3]
    assert found.stats["diverging"].sum() == 1 and not verdict.converged
    assert found.idata.log_likelihood["y"].shape == (4, 250, 21) and found.idata.observed_data["y"].shape == (21,)
    np.testing.assert_allclose(summary.mean, found.theta.mean(axis=(0, 1)))


def test_the_record_is_of_all(both, tmp_path):
    merge(both, tmp_path / "all")
    record = json.loads((tmp_path / "all" / "run.json").read_text())
    assert record["status"] == "finished" and record["random_seed"] == [1, 2] and len(record["merged_from"]) == 2
    assert record["configuration"]["chains"] == 4 and record["configuration"]["parameters"][0]["name"] == "A0"
    assert len(record["counts"]["sampling"]) == 4 and record["counts"]["divergences"] == [0, 0, 0, 1]
    assert record["counts"]["metric"] == "dense" and set(record["summary"]) == {"A0", "k", "sd"}
    assert record["verdict"]["converged"] is False


def test_samples_txt_has_every_line(both, tmp_path):
    merge(both, tmp_path / "all")
    lines = (tmp_path / "all" / "samples.txt").read_text().splitlines()
    assert len(lines) == 1001 and lines[-1].startswith("iter249run3\t")
    assert lines[501].split("\t")[1:] == (both[1].folder / "samples.txt").read_text().splitlines()[1].split("\t")[1:]


def test_it_opens_like_any_run(both, tmp_path, monkeypatch):
    merge(both, tmp_path / "all")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.conf").touch()
    assert open_run(tmp_path / "all", lambda path: problem()).u.shape == (4, 250, 3)


def test_what_cannot_be_merged(both, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="one run is nothing to merge"):
        merge(both[:1], out)
    with pytest.raises(InputError, match=r"holds the same draws as .*run again with another random_seed"):
        merge([both[0], both[1], replace(both[0], folder=tmp_path / "copy")], out)
    with pytest.raises(InputError, match="it has 100 draws a chain, and"):
        merge([both[0], written(tmp_path / "short", 3, num_samples=100)], out)
    p = problem()
    wider = replace(p, parameters=(replace(p.parameters[0], prior=replace(p.parameters[0].prior, sd=2.0)), *p.parameters[1:]))
    with pytest.raises(InputError, match="its parameters are not those of"):
        merge([both[0], written(tmp_path / "wider", 4, Posterior(wider))], out)
    assert not out.exists()


def test_a_finished_run_is_left_alone(both, tmp_path):
    merge(both, tmp_path / "all")
    with pytest.raises(InputError, match="the folder holds a finished run"):
        merge(both, tmp_path / "all")
    merge(both, tmp_path / "all", overwrite=True)


def test_damaged_samples(both, tmp_path):
    broken = written(tmp_path / "broken", 5)
    (broken.folder / "samples.txt").write_text("# Name\n")
    with pytest.raises(InputError, match=r"samples.txt: is missing or damaged"):
        merge([both[0], broken], tmp_path / "out")
