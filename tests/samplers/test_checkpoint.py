"""Chains on disk: killed at any moment they end as if they had not been; what is not theirs is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.checkpoint import Checkpoint, decode, encode
from bnfhmc.samplers.curvature import Curvature
from bnfhmc.samplers.kernels.protocol import Point
from bnfhmc.samplers.methods import make_kernel
from tests.samplers.checkpointed import Slow, run
from tests.samplers.targets import correlated

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("nuts", "hmc", "mala", "fisher_mala", "rwm", "pcn", "ensemble")


def same(a, b):
    np.testing.assert_array_equal(a.z, b.z)
    np.testing.assert_array_equal(a.warmup.z, b.warmup.z)
    for name in a.stats.keys() - {"seconds"}:
        np.testing.assert_array_equal(a.stats[name], b.stats[name])
        np.testing.assert_array_equal(a.warmup.stats[name], b.warmup.stats[name])
    for one, other in zip(a.chains, b.chains, strict=True):
        np.testing.assert_array_equal(one.inverse_mass_matrix, other.inverse_mass_matrix)
        assert (one.step_size, one.num_warmup, one.sampling) == (other.step_size, other.num_warmup, other.sampling)
        assert (one.starting, one.warmup) == (other.starting, other.warmup)


def killed_until_done(folder, method, seed):
    """Start the run as a program and kill it after random times, again and again; how often it was killed."""
    rng, kills = np.random.default_rng(seed), 0
    command = [sys.executable, "-m", "tests.samplers.checkpointed", str(folder), method]
    while not (folder / "ended.npz").exists():
        manifest = folder / "run.json"
        process = subprocess.Popen([*command, *(["resume"] if manifest.exists() else [])], cwd=ROOT)
        began = time.monotonic()
        while process.poll() is None and not manifest.exists():
            time.sleep(0.01)
        try:
            process.wait(rng.uniform(0.5, 2.5) if kills < 8 else 120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            assert process.returncode == 0
        assert time.monotonic() - began < 200
    return kills


@pytest.mark.slow
@pytest.mark.parametrize("method", [*METHODS, "blackjax"])
def test_a_run_that_is_killed_ends_with_the_draws_of_one_that_is_not(tmp_path, method):
    whole = run(tmp_path / "whole", method)
    assert killed_until_done(tmp_path / "killed", method, seed=METHODS.index(method) if method in METHODS else 9) >= 2
    with np.load(tmp_path / "killed" / "ended.npz") as ended:
        np.testing.assert_array_equal(ended["z"], whole.z)
        np.testing.assert_array_equal(ended["warmup"], whole.warmup.z)
        for name in whole.stats.keys() - {"seconds"}:
            np.testing.assert_array_equal(ended[name], whole.stats[name])


class Interrupted(Slow):
    """Interrupts the process after so many solves of all its clones."""

    def __init__(self, *args, left=None):
        super().__init__(*args)
        self.left = left

    def evaluate(self, z):
        self.left.append(None)
        if len(self.left) == self.left[0]:
            os.kill(os.getpid(), signal.SIGINT)
        return super().evaluate(z)

    def clone(self):
        return Interrupted(self.cov, self.mean, self.counted, left=self.left)


def interrupted(folder, method, after, resume=False):
    target = Interrupted(correlated(3), left=[after])
    try:
        return run(folder, method, resume, target=target)
    except KeyboardInterrupt:
        return None


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_is_interrupted_goes_on_to_the_very_draws(tmp_path, method):
    whole = run(tmp_path / "whole", method)
    interrupted(tmp_path / "parts", method, 150)
    interrupted(tmp_path / "parts", method, 400, resume=True)
    same(run(tmp_path / "parts", method, resume=True), whole)


def test_a_run_that_is_interrupted_while_it_looks_for_starts_begins_anew(tmp_path):
    interrupted(tmp_path / "parts", "nuts", 2)
    same(run(tmp_path / "parts", "nuts", resume=True), run(tmp_path / "whole", "nuts"))


def test_a_finished_run_can_be_asked_for_more(tmp_path):
    first = run(tmp_path, "nuts", num_samples=30)
    more = run(tmp_path, "nuts", resume=True, num_samples=60)
    same(more, run(tmp_path / "whole", "nuts", num_samples=60))
    np.testing.assert_array_equal(more.z[:, :30], first.z)


def test_and_for_fewer(tmp_path):
    whole = run(tmp_path, "nuts", num_samples=60)
    np.testing.assert_array_equal(run(tmp_path, "nuts", resume=True, num_samples=20).z, whole.z[:, :20])


def test_a_new_run_takes_the_place_of_an_old_one(tmp_path):
    run(tmp_path, "nuts", num_samples=5)
    same(run(tmp_path, "nuts"), run(tmp_path / "other", "nuts"))


def test_what_was_learnt_can_be_read(tmp_path):
    draws = run(tmp_path, "nuts", num_samples=5)
    for tuning, chain in zip(Checkpoint(tmp_path).tunings(), draws.chains, strict=True):
        assert tuning.step_size == chain.step_size
        np.testing.assert_array_equal(tuning.metric.inverse_mass_matrix, chain.inverse_mass_matrix)


def test_a_run_that_was_told_less_goes_on(tmp_path):
    """What a manifest leaves out has its default: here the centre, of which nuts has none."""
    first = run(tmp_path / "first", "nuts", num_samples=5)
    tuned = Checkpoint(tmp_path / "first").tunings()
    options = {"chains": 3, "num_warmup": 20, "random_seed": 5, "check_gradient": False, "tuned": tuned}
    checkpoint = Checkpoint(tmp_path / "second")
    draws = run_chains(make_kernel("nuts"), Slow(correlated(3)), num_samples=5, checkpoint=checkpoint, **options)
    manifest = tmp_path / "second/run.json"
    said = json.loads(manifest.read_text())
    assert [told["of"].pop("center") for told in said["tuned"]] == [None] * len(first.chains)
    manifest.write_text(json.dumps(said))
    more = run_chains(make_kernel("nuts"), Slow(correlated(3)), num_samples=9, checkpoint=checkpoint, resume=True, **options)
    np.testing.assert_array_equal(more.z[:, :5], draws.z)


def test_a_run_goes_on_with_what_it_was_asked_for(tmp_path):
    run(tmp_path, "nuts", num_samples=5)
    with pytest.raises(InputError, match="kernel = .*Nuts.* and not .*Hmc"):
        run(tmp_path, "hmc", resume=True)


def test_a_run_goes_on_in_the_density_it_came_from(tmp_path):
    run(tmp_path, "nuts", num_samples=5)
    with pytest.raises(InputError, match=r"log π at the last point of chain 1 was .* begin another run"):
        run(tmp_path, "nuts", resume=True, target=Slow(1.01 * correlated(3)))


def test_where_there_is_no_run_it_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no run to go on with"):
        run(tmp_path, "nuts", resume=True)
    with pytest.raises(InputError, match="there is no run to learn from"):
        Checkpoint(tmp_path).tunings()


@pytest.mark.parametrize("damage", ["half", "empty", "text", "pickle", "no state", "another shape"])
def test_a_file_that_is_damaged_is_named(tmp_path, damage):
    run(tmp_path, "nuts", num_samples=5)
    path = tmp_path / "chain-2.npz"
    content = path.read_bytes()
    if damage in ("half", "empty", "text"):
        path.write_bytes({"half": content[: len(content) // 2], "empty": b"", "text": b"hello"}[damage])
    else:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        if damage == "pickle":
            arrays["state"] = np.array([{"a": 1}], dtype=object)
        elif damage == "no state":
            arrays["state"] = np.frombuffer(b'{"at": 1}', np.uint8)
        else:
            arrays["sampled.z"] = arrays["sampled.z"][:, :2]
        np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"chain-2\.npz: cannot be read"):
        run(tmp_path, "nuts", resume=True)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 99}'])
def test_a_manifest_that_is_damaged_is_named(tmp_path, text):
    run(tmp_path, "nuts", num_samples=5)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json"):
        run(tmp_path, "nuts", resume=True)


@pytest.mark.parametrize("of", ["another chain", "another run"])
def test_a_file_of_another_chain_is_not_taken_for_this_one(tmp_path, of):
    run(tmp_path / "run", "nuts", num_samples=5)
    other = run_chains(
        make_kernel("nuts"), Slow(correlated(3)), chains=3, num_warmup=120, num_samples=5, random_seed=6, check_gradient=False,
        checkpoint=Checkpoint(tmp_path / "other"),
    )  # fmt: skip
    assert other.z.shape == (3, 5, 3)
    source = tmp_path / "run" / "chain-1.npz" if of == "another chain" else tmp_path / "other" / "chain-2.npz"
    (tmp_path / "run" / "chain-2.npz").write_bytes(source.read_bytes())
    with pytest.raises(InputError, match=r"chain-2\.npz: .* it is of another chain, or of a run with another seed"):
        run(tmp_path / "run", "nuts", resume=True)


def test_what_was_learnt_is_read_in_the_order_of_the_chains(tmp_path):
    target, kept = Slow(correlated(2)), Checkpoint(tmp_path)
    draws = run_chains(make_kernel("mala"), target, chains=11, num_warmup=30, num_samples=2, random_seed=1, checkpoint=kept)
    assert [tuning.step_size for tuning in kept.tunings()] == [chain.step_size for chain in draws.chains]


def test_a_chain_whose_file_is_lost_begins_anew(tmp_path):
    whole = run(tmp_path, "nuts")
    (tmp_path / "chain-2.npz").unlink()
    same(run(tmp_path, "nuts", resume=True), whole)


def test_no_half_written_file_is_left(tmp_path):
    run(tmp_path, "nuts", num_samples=5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chain-1.npz", "chain-2.npz", "chain-3.npz", "run.json"]


def test_a_disk_that_is_full_ends_no_run(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bnfhmc.samplers.checkpoint.os.fsync", lambda _: None)
    (tmp_path / "run").mkdir()
    monkeypatch.setattr("bnfhmc.samplers.checkpoint.np.savez", full)
    draws = run(tmp_path / "run", "nuts", num_samples=5)
    assert draws.z.shape == (3, 5, 3)
    assert draws.unsaved == "No space left on device"


def test_values_go_through_a_file_as_they_are():
    point = Point(np.arange(3.0), -np.inf, np.array([[1.0]]), Curvature(np.eye(2), np.ones(2)))
    value = {"point": point, "many": [1, 2**70, 0.1, None, True, "ε"], "random": np.random.default_rng(1).bit_generator.state}
    arrays = {}
    back = decode(json.loads(json.dumps(encode(value, arrays))), arrays)
    assert back["many"] == value["many"] and back["random"] == value["random"]
    assert back["point"].logp == -np.inf and type(back["point"]) is Point
    np.testing.assert_array_equal(back["point"].curvature.information, np.eye(2))
