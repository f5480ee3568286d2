"""A chain on disk, from which it goes on bit for bit: arrays and JSON in an .npz, each file written whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.basins import Basin
from bnfhmc.samplers.chain import Chain, Cost, Progressed, Settings
from bnfhmc.samplers.curvature import Curvature
from bnfhmc.samplers.draws import STATS, Search, Trace
from bnfhmc.samplers.host import Host, Tally
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.metric import Metric, Moments
from bnfhmc.samplers.starts import Start
from bnfhmc.samplers.warmup import Adaptation, DualAveraging

FORMAT = 2
MANIFEST, SEARCH, STOP = "run.json", "search.json", "stop"

# What a file may hold besides arrays, numbers, texts, lists and dictionaries.
KINDS = {
    kind.__name__: kind
    for kind in (Adaptation, Basin, Cost, Curvature, DualAveraging, Metric, Moments, Point, Progressed, Tally, Tuning)
}

# What reading a file that is damaged, or that is somebody else's, raises.
BAD = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, RecursionError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with what was asked of a run, and a file for each chain.

    ``every``: seconds between two writes of a chain. ``about``: what else is to be known of the run, as JSON has it.
    """

    folder: Path
    every: float = 30.0
    about: Mapping[str, Any] = field(default_factory=dict)

    def begin(self, asked: Mapping[str, Any]) -> None:
        """Make room for a new run: what is left of another goes, and what is asked of this one is written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in self.folder.glob("chain-*.npz"):
            file.unlink()
        self._say(asked)

    def go_on(self, asked: Mapping[str, Any]) -> None:
        """Go on with a run that was asked for the same, but for the number of draws; InputError where it was not."""
        path, before, now = self.folder / MANIFEST, self.asked(), encode(dict(asked), None)
        if "tuned" in before:  # what an earlier version did not tell of a tuning has its default
            before["tuned"] = encode(self.told()["tuned"], None)
        wrong = [
            Mistake(f"the run has {name} = {before.get(name)}, and not {value}", "begin another one for that", path)
            for name, value in now.items()
            if name != "num_samples" and before.get(name) != value
        ]
        if wrong:
            raise InputError(wrong)
        self._say(asked)

    def asked(self) -> dict[str, Any]:
        """What was asked of the run; InputError where that cannot be read."""
        path = self.folder / MANIFEST
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(Mistake("there is no run to go on with", "name the result folder of a run", path)) from None
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(Mistake(f"cannot be read: {error}", "the run has to begin anew", path)) from None
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise InputError(Mistake("is of another version of the program", "the run has to begin anew", path))
        return said

    def told(self) -> dict[str, Any]:
        """Where the chains of the run were to start, and what they were to begin with."""
        asked = self.asked()
        try:
            return {name: decode(asked[name], {}) for name in ("start", "starts", "tuned")}
        except BAD as error:
            raise InputError(Mistake(f"cannot be read: {error}", "the run has to begin anew", self.folder / MANIFEST)) from None

    def ask_to_end(self) -> None:
        """Ask whoever works on the run's chains, on any machine, to end soon."""
        (self.folder / STOP).touch()

    def is_asked_to_end(self) -> bool:
        """Whether the run is to end soon."""
        return (self.folder / STOP).exists()

    def save_search(self, search: Search) -> None:
        """Write what the search for modes found, before any chain has a file."""
        _replace(self.folder / SEARCH, json.dumps(search._asdict()).encode())

    def searched(self) -> Search:
        """What the search for modes found; nothing where it is not known."""
        try:
            said = json.loads((self.folder / SEARCH).read_text(encoding="utf-8"))
            return Search(int(said["gradients"]), tuple(float(logp) for logp in said["modes"]))
        except BAD:
            return Search()

    def method(self) -> str:
        """The method that the run is by."""
        return str(self.asked().get("method"))

    def tunings(self) -> list[Tuning]:
        """What the chains of the run have learnt; InputError where there is none."""
        files = sorted(self.folder.glob("chain-*.npz"), key=lambda path: (len(path.name), path.name))  # 2 before 10
        found = [_read(path)[0]["at"].tuning for path in files]
        if not found:
            raise InputError(Mistake("there is no run to learn from", "name the result folder of a run", self.folder))
        return found

    def _say(self, asked: Mapping[str, Any]) -> None:
        (self.folder / STOP).unlink(missing_ok=True)
        said = {"format": FORMAT, "about": dict(self.about), **encode(dict(asked), None)}
        _replace(self.folder / MANIFEST, json.dumps(said, indent=1).encode())

    def save(self, chain: Chain) -> None:
        """Write a chain that has begun; OSError where there is no room."""
        if chain.at is None or chain.start is None:
            return
        arrays: dict[str, np.ndarray] = {}
        state = {
            "at": chain.at,
            "cost": chain.cost,
            "counted": chain.host.tally,
            "start": chain.start.z,
            "redrawn": list(chain.start.redrawn),
            "rng": chain.rng.bit_generator.state,
            "of": _whose(chain),
        }
        text = json.dumps(encode(state, arrays))
        for name, trace, n in (("warm", chain.warm, chain.at.warmed), ("sampled", chain.sampled, chain.at.sampled)):
            arrays[f"{name}.z"] = trace.z[:, :n]
            arrays |= {f"{name}.{stat}": values[:, :n] for stat, values in trace.stats.items()}
        _replace(self.path(chain.index), {"state": np.frombuffer(text.encode(), np.uint8), **arrays})

    def restore(self, chain: Chain, settings: Settings, stop: Any) -> bool:
        """Put a chain where its file left it; False where there is no file. Raises InputError where it is damaged."""
        path = self.path(chain.index)
        if not path.exists():
            return False
        state, arrays = _read(path)
        try:
            chain.warm, chain.sampled = (
                Trace(arrays[f"{name}.z"], {stat: arrays[f"{name}.{stat}"] for stat in STATS}) for name in ("warm", "sampled")
            )
            at: Progressed = state["at"]
            fits = chain.warm.z.shape[1:] == (at.warmed, chain.target.dim) and chain.sampled.z.shape[1] == at.sampled
            if not fits:
                raise ValueError(f"it holds {chain.warm.z.shape[1:]} and {chain.sampled.z.shape[1:]} numbers")
            if state.get("of", _whose(chain)) != _whose(chain):
                raise ValueError("it is of another chain, or of a run with another seed")
            chain.rng.bit_generator.state = state["rng"]
            chain.at, chain.cost = at, state["cost"]
            chain.host = Host(chain.target, stop, state["counted"])
            here = Evaluation(float(np.ravel(at.point.logp)[0]), at.point.grad, "ok")
            chain.start = Start(state["start"], here, tuple(state["redrawn"]))
        except BAD as error:
            raise _damaged(path, error) from None
        if at.adaptation is not None:
            chain.warm = chain.warm.longer(settings.num_warmup)
        chain.sampled = chain.sampled.longer(max(settings.num_samples, at.sampled))
        return True

    def path(self, index: int) -> Path:
        """The file of a chain."""
        return self.folder / f"chain-{index + 1}.npz"


def _whose(chain: Chain) -> list[int]:
    """What a chain's random numbers come from: the seed of the run, and which chain it is."""
    seeds: Any = chain.rng.bit_generator.seed_seq
    return [int(seeds.entropy), *map(int, seeds.spawn_key)]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = decode(json.loads(arrays.pop("state").tobytes()), arrays)
        if not isinstance(state["at"], Progressed):
            raise ValueError("it holds no chain")
        return state, arrays
    except BAD as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(Mistake(f"cannot be read: {error}", "delete the file, and this chain begins anew", path))


def encode(value: Any, arrays: dict[str, np.ndarray] | None) -> Any:
    """A value as JSON has it; arrays go into `arrays` under a name, or, without one, are lists of numbers."""
    if isinstance(value, np.ndarray):
        if arrays is None:
            return {"numbers": value.tolist()}
        arrays[name := f"a{len(arrays)}"] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return value.item()
    if type(value).__name__ in KINDS:
        fields = getattr(value, "_fields", None) or value.__dataclass_fields__
        return {"kind": type(value).__name__, "of": {f: encode(getattr(value, f), arrays) for f in fields}}
    if isinstance(value, Mapping):
        return (
            {"dict": {str(k): encode(v, arrays) for k, v in value.items()}}
            if arrays is not None
            else {str(k): encode(v, arrays) for k, v in value.items()}
        )
    if isinstance(value, list | tuple):
        return [encode(v, arrays) for v in value]
    if isinstance(value, Path):
        return str(value)
    return value


def decode(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """What `encode` was given."""
    if isinstance(value, list):
        return [decode(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "numbers" in value:
        return np.array(value["numbers"], dtype=float)
    if "kind" in value:
        return KINDS[value["kind"]](**{k: decode(v, arrays) for k, v in value["of"].items()})
    return {k: decode(v, arrays) for k, v in value.get("dict", value).items()}


def _replace(path: Path, content: bytes | Mapping[str, np.ndarray]) -> None:
    """Put the content in the place of the file once it is on the disk."""
    temporary = path.with_name(f".{path.name}")
    try:
        with open(temporary, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                np.savez(file, **content)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:  # a write that fails does not say where
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
