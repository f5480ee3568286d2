"""What a configuration declares and nothing reads: parameters, conditions, columns and observables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bnfhmc.errors import nearest
from bnfhmc.model.protocol import Model
from bnfhmc.read.conditions import Written, check_condition
from bnfhmc.read.experiments import Builder
from bnfhmc.read.parameters import Declared
from bnfhmc.read.plans import Plan


def check_conditions(
    builder: Builder, conditions: Mapping[str, Written | None], plans: Sequence[Plan], models: Mapping[str, Model]
) -> None:
    """A condition of no experiment is one that the only model can take."""
    used = {id(w) for p in plans for w in (p.condition, p.before)}
    for written in conditions.values():
        if written is not None and id(written) not in used and len(models) == 1:
            check_condition(written, next(iter(models.values())), builder.declared, builder.mistakes)


def check_parameters(
    builder: Builder,
    declared: Mapping[str, Declared],
    models: Mapping[str, Model],
    named: set[str],
    whole: bool,
) -> None:
    """Every declared parameter is a quantity of a model or `named` by a formula; and where the problem is `whole`, some
    measurement depends on it.
    """
    settable = {name for model in models.values() for name in model.quantities}
    for d in declared.values():
        if d.name in settable | named:
            if whole and d.name not in builder.used:
                builder.mistakes.add(d.line, f"nothing that is measured depends on parameter '{d.name}'",
                                     "every condition sets it, or its model and formulas are compared with no data; delete it")
        else:
            what = f"parameter '{d.name}' appears in no model and no formula"
            builder.mistakes.add(d.line, what, nearest(d.name, settable))


def check_columns(builder: Builder, plans: Sequence[Plan]) -> None:
    """Observables with a noise model, a formula or a normalization of their own, and renamed columns, are in the data."""
    for name, line in builder.specs.own_lines.items():
        if name not in builder.seen:
            builder.mistakes.add(line, f"no data are named '{name}', which has a noise_model", nearest(name, builder.seen))
    for header, line in builder.observables.line.items():
        if header not in builder.headers:
            builder.mistakes.add(line, f"no data file has a column '{header}'", nearest(header, builder.headers))
    for name, formula in builder.observables.formulas.items():
        if name not in builder.seen:
            builder.mistakes.add(formula.line, f"no data are named '{name}', which has a formula",
                                 nearest(name, builder.headers))  # fmt: skip
    builder.normalizations.say_unused(plans, builder.seen, builder.mistakes)
