"""What can be asked for by name: the methods, the engines that have them, and their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bnfhmc.errors import nearest
from bnfhmc.samplers.kernels.ensemble import Ensemble
from bnfhmc.samplers.kernels.fisher_mala import FisherMala
from bnfhmc.samplers.kernels.hmc import Hmc, Mala
from bnfhmc.samplers.kernels.nuts import Nuts
from bnfhmc.samplers.kernels.pcn import Pcn
from bnfhmc.samplers.kernels.protocol import Kernel
from bnfhmc.samplers.kernels.rwm import Rwm

OWN, NUTPIE = "own", "nutpie"


def _of_blackjax(name: str) -> Callable[..., Kernel]:
    def make(**options: Any) -> Kernel:
        from bnfhmc.samplers.kernels import through_blackjax  # jax takes seconds to import

        kernel: Kernel = getattr(through_blackjax, name)(**options)
        return kernel

    return make


# The depth of the trees that a warm-up grows before it has settled.
BRIEF = 6

# Each method's kernels by engine. NUTS through nutpie is no kernel: it runs its chains itself (`through_nutpie`).
METHODS: Mapping[str, Mapping[str, Callable[..., Kernel]]] = {
    "nuts": {OWN: Nuts, "blackjax": _of_blackjax("BlackjaxNuts")},
    "hmc": {OWN: Hmc, "blackjax": _of_blackjax("BlackjaxHmc")},
    "mala": {OWN: Mala, "blackjax": _of_blackjax("BlackjaxMala")},
    "fisher_mala": {OWN: FisherMala},
    "rwm": {OWN: Rwm},
    "pcn": {OWN: Pcn},
    "ensemble": {OWN: Ensemble},
}

# Methods whose acceptance is the user's to choose; the others have a best one, which is in their kernel.
TUNED_BY_USER = frozenset({"nuts", "hmc"})

# The settings that are of some methods alone, each with these methods.
OF_METHODS: Mapping[str, frozenset[str]] = {
    "max_tree_depth": frozenset({"nuts"}),
    "path_length": frozenset({"hmc"}),
    "metric": frozenset({"nuts", "hmc", "mala", "rwm", "pcn"}),
    "accept_by": frozenset({"nuts", "hmc", "mala", "fisher_mala"}),
    "engine": frozenset(METHODS),
}

# Those that nutpie, which has its own starts, warm-up and metric, cannot take.
NOT_OF_NUTPIE = ("metric", "accept_by", "warmup_from", "time_limit", "scheduler")


def method_of(kernel: Kernel) -> str:
    """The method whose own kernel this is; empty for another engine's."""
    return next((name for name, engines in METHODS.items() if engines[OWN] is type(kernel)), "")


def brief(kernel: Kernel) -> Kernel:
    """The kernel of a warm-up that has not settled: with trajectories of at most 63 steps, where they could be longer.

    In a metric that does not fit they would be as long as they may be, for a draw that teaches no more than a short one does.
    """
    if isinstance(kernel, Nuts):
        return replace(kernel, max_tree_depth=min(kernel.max_tree_depth, BRIEF))
    if isinstance(kernel, Hmc):
        return replace(kernel, max_steps=min(kernel.max_steps, 2**BRIEF - 1))
    return kernel


def misplaced(method: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Of the settings that are not None, those that the method or its engine cannot take, each with why."""
    given = {name for name, value in settings.items() if value is not None}
    wrong = {
        name: f"belongs to {' and '.join(sorted(methods))}"
        for name, methods in OF_METHODS.items()
        if name in given and method not in methods
    }
    engine = settings.get("engine")
    if engine == NUTPIE:
        wrong |= {name: "is not known to engine = nutpie" for name in NOT_OF_NUTPIE if name in given}
    engines = (*METHODS.get(method, ()), *([NUTPIE] if method == "nuts" else []))
    if engine is not None and "engine" not in wrong and engine not in engines:
        wrong["engine"] = f"is not one that {method} has: {' or '.join(engines)}"
    return wrong


def make_kernel(method: str, engine: str = OWN, *, target_accept: float | None = None, **options: Any) -> Kernel:
    """The kernel of a method; options that are None keep its defaults. Raises ValueError for a name that is not known."""
    if method not in METHODS:
        raise ValueError(f"unknown method '{method}'; {nearest(method, METHODS) or 'there is ' + ', '.join(METHODS)}")
    engines = METHODS[method]
    if engine not in engines:
        raise ValueError(f"method '{method}' has no engine '{engine}'; it has {', '.join(engines)}")
    given = {name: value for name, value in options.items() if value is not None}
    if target_accept is not None and method in TUNED_BY_USER:
        given["target_accept"] = target_accept
    return engines[engine](**given)
