"""Model files → models, with what a configuration says of how to build and solve them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from bnfhmc.errors import InputError, MissingTool
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Settings
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.models import ModelFile
from bnfhmc.read.parameters import Declared
from bnfhmc.read.plans import Plan
from bnfhmc.read.record import Conf
from bnfhmc.read.settings import read_timeout

# what `bnfhmc.model.load_model` is: (path, *, name, free, settable, generate_network, rtol, atol[, timeout_s]) → Model
Loader = Callable[..., Model]


class Loaded(NamedTuple):
    """The models that could be loaded, and the lines of those that lack a tool with what is to be said of it."""

    models: dict[str, Model]
    lacking: list[tuple[int, MissingTool]]


def load_models(
    conf: Conf,
    files: Mapping[str, ModelFile],
    declared: Mapping[str, Declared],
    plans: Sequence[Plan],
    settable: Collection[str],
    settings: Settings,
    loader: Loader,
    mistakes: Mistakes,
) -> Loaded:
    """Load each model file that is there.

    `settable`: the names that are set, fitted or read besides outputs; what a model computes from other parameters can be
    set like those. Tolerances are those of the model's own line, else of its simulate actions, else of the settings.
    """
    timeout = read_timeout(conf, mistakes)
    more = {} if timeout is None else {"timeout_s": timeout}
    out = Loaded({}, [])
    for m in (m for m in files.values() if m.there):
        free = {d.name: d.start for d in declared.values()}
        free |= {name: 1.0 for name in (m.bngl.free if m.bngl else ()) if name not in free}
        mine = [p for p in plans if p.model == m.name]
        rtol = m.rtol or _of_actions("rtol", m, mine, settings.rtol, mistakes)
        atol = m.atol or _of_actions("atol", m, mine, settings.atol, mistakes)
        options = _network_options(conf, m, mistakes)
        try:
            out.models[m.name] = loader(
                m.path, name=m.name, free=free, settable=frozenset(settable), generate_network=options, rtol=rtol, atol=atol,
                **m.gradient, **more,
            )
        except InputError as error:
            mistakes.include(error, m.line)
        except MissingTool as error:
            out.lacking.append((m.line, error))
    return out


def _of_actions(name: str, m: ModelFile, plans: Sequence[Plan], default: float, mistakes: Mistakes) -> float:
    """The tolerance that the simulate actions in use agree on; the default where they leave it open."""
    simulations = [p.simulation for p in plans if p.simulation is not None and not p.simulation.wrong]
    said = {getattr(s, name) or default: s.line for s in simulations}
    if len(said) > 1:
        what = f"the simulations that are fitted have different values of {name}"
        mistakes.at(m.path).add(list(said.values())[-1], what, f"give all of them the same {name}")
    return next(iter(said), default)


def _network_options(conf: Conf, m: ModelFile, mistakes: Mistakes) -> str | None:
    """BNG2.pl's options for the network, where the configuration gives them; a model's own are read with the model."""
    own = m.bngl.network if m.bngl else None
    s = conf.one("generate_network")
    if s is None or m.bngl is None:
        return None
    if own is not None and own[1] and s.value != own[1]:
        where = f"line {own[0]} of {m.path.name}"
        mistakes.add(s.line, f"'generate_network = {s.value}' contradicts {where}", "delete one of the two")
    return s.value
