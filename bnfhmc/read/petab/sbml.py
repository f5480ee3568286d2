"""What an SBML file says besides its mathematics: what is wrong in it, and which of its quantities a table may set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import libsbml

from bnfhmc.read.lines import read_text
from bnfhmc.read.mistakes import Mistakes

_MOST = 5  # of what libSBML finds in one file


@dataclass(frozen=True, slots=True)
class SbmlFacts:
    """An SBML model's entities.

    ``document``: libSBML's, which keeps the model alive; ``kinds``: what each identifier names, in words; ``compartments``:
    the sizes by identifier; ``initial``: the names that the initial assignment of a parameter or compartment reads;
    ``units``: of the parameters that have one, in the file's words.
    """

    document: libsbml.SBMLDocument
    kinds: Mapping[str, str]
    compartments: Mapping[str, float]
    initial: Mapping[str, frozenset[str]]
    units: Mapping[str, str]


def read_sbml(path: Path, mistakes: Mistakes, line: int) -> SbmlFacts | None:
    """Read the file that `line` of the YAML file names; None, and mistakes, where it is no valid or supported SBML."""
    text = read_text(path, mistakes, line)
    if text is None:
        return None
    here = mistakes.at(path)
    document = libsbml.SBMLReader().readSBMLFromString(text)
    if not _sound(document, here):
        return None
    model = document.getModel()
    if model is None:
        here.add(None, "the file holds no model", "name an SBML file")
        return None
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    before = len(here.found)
    if not _sound(document, here):
        return None
    _refuse_unsupported(document, model, here)
    if len(here.found) > before:
        return None
    kinds = dict(_kinds(model))
    sizes = {c.getId(): c.getSize() for c in model.getListOfCompartments()}
    return SbmlFacts(document, kinds, sizes, _initial(model), dict(_units(model)))


def _sound(document: libsbml.SBMLDocument, here: Mistakes) -> bool:
    """Whether libSBML finds no error; what it finds is said with its line."""
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    severe = [e for e in errors if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    for e in severe[:_MOST]:
        here.add(e.getLine() or None, f"no valid SBML: {' '.join(e.getShortMessage().split())}", _brief(e.getMessage()))
    if len(severe) > _MOST:
        here.add(severe[_MOST].getLine() or None, f"{len(severe) - _MOST} more like these")
    return not severe


def _brief(message: str) -> str:
    """What libSBML says of one place: the last sentence that is not a reference to the specification."""
    said = [line.strip() for line in message.split("\n") if line.strip() and not line.strip().startswith("Reference:")]
    return said[-1][:300] if said else ""


def _refuse_unsupported(document: libsbml.SBMLDocument, model: libsbml.Model, here: Mistakes) -> None:
    for i in range(document.getNumPlugins() if document.getLevel() > 2 else 0):
        package = document.getPlugin(i).getPackageName()
        if document.getPackageRequired(package) and package != "l3v2extendedmath":  # which is core's own mathematics
            here.add(None, f"the SBML package '{package}' is not supported", "flatten the model to SBML core")
    for rule in model.getListOfRules():
        if rule.isAlgebraic():
            here.add(rule.getLine() or None, "algebraic rules are not supported", "write an assignment rule")
    for reaction in model.getListOfReactions():
        if reaction.isSetFast() and reaction.getFast():
            here.add(reaction.getLine() or None, f"the fast reaction '{reaction.getId()}' is not supported",
                     "write its equilibrium as an assignment rule")  # fmt: skip
    references = {s.getId() for s in _references(model) if s.isSetId()}
    for assignment in model.getListOfInitialAssignments():
        if assignment.getSymbol() in references:
            here.add(assignment.getLine() or None, f"an initial assignment of the stoichiometry '{assignment.getSymbol()}' is "
                     "not supported", "write the number itself")  # fmt: skip
    for whose, line, math in _mathematics(model):
        if math is not None and (word := _unsupported(math)):
            here.add(line, f"{whose} uses {word}, which is not supported")


def _references(model: libsbml.Model) -> Iterator[libsbml.SpeciesReference]:
    for reaction in model.getListOfReactions():
        yield from reaction.getListOfReactants()
        yield from reaction.getListOfProducts()


def _mathematics(model: libsbml.Model) -> Iterator[tuple[str, int | None, libsbml.ASTNode]]:
    for rule in model.getListOfRules():
        yield f"the rule of '{rule.getVariable()}'", rule.getLine() or None, rule.getMath()
    for reaction in model.getListOfReactions():
        law = reaction.getKineticLaw()
        if law is not None:
            yield f"the rate of '{reaction.getId()}'", law.getLine() or None, law.getMath()
    for assignment in model.getListOfInitialAssignments():
        yield f"the initial assignment of '{assignment.getSymbol()}'", assignment.getLine() or None, assignment.getMath()
    for event in model.getListOfEvents():
        trigger = event.getTrigger()
        if trigger is not None:
            yield f"the trigger of event '{event.getId()}'", trigger.getLine() or None, trigger.getMath()


def _unsupported(node: libsbml.ASTNode) -> str:
    if node.getType() == libsbml.AST_FUNCTION_DELAY:
        return "a delay"
    if node.getType() == libsbml.AST_DISTRIB_FUNCTION_NORMAL:
        return "a random number"
    return next((word for i in range(node.getNumChildren()) if (word := _unsupported(node.getChild(i)))), "")


def _units(model: libsbml.Model) -> Iterator[tuple[str, str]]:
    """The units of parameters: the name of the unit's definition, else its identifier."""
    for p in model.getListOfParameters():
        if p.isSetUnits():
            definition = model.getUnitDefinition(p.getUnits())
            yield p.getId(), definition.getName() if definition is not None and definition.isSetName() else p.getUnits()


def _kinds(model: libsbml.Model) -> Iterator[tuple[str, str]]:
    lists = ((model.getListOfReactions(), "a reaction"), (model.getListOfFunctionDefinitions(), "a function"),
             (model.getListOfEvents(), "an event"), (model.getListOfParameters(), "a parameter"),
             (model.getListOfSpecies(), "a species"), (model.getListOfCompartments(), "a compartment"))  # fmt: skip
    for reference in _references(model):
        if reference.isSetId():
            yield reference.getId(), "a stoichiometry"
    for found, kind in lists:
        for entity in found:
            yield entity.getId(), kind
    for carrier in (model, *model.getListOfSpecies()):
        if carrier.isSetConversionFactor():
            yield carrier.getConversionFactor(), "a conversion factor, whose value is built into the model"
    for assignment in model.getListOfInitialAssignments():
        if model.getParameter(assignment.getSymbol()) is not None:
            yield assignment.getSymbol(), "a parameter with an initial assignment"
    for rule in model.getListOfRules():
        if rule.isAssignment():
            yield rule.getVariable(), "the target of an assignment rule"


def _initial(model: libsbml.Model) -> dict[str, frozenset[str]]:
    """What the initial assignments of parameters and compartments read, by way of each other and of rules."""
    direct: dict[str, set[str]] = {}
    for owner, name in [(a, a.getSymbol()) for a in model.getListOfInitialAssignments()] + [
        (r, r.getVariable()) for r in model.getListOfRules() if r.isAssignment()
    ]:
        if owner.getMath() is not None:
            direct[name] = set(_names(owner.getMath()))
    own = {a.getSymbol() for a in model.getListOfInitialAssignments()} - {s.getId() for s in model.getListOfSpecies()}
    out = {}
    for name in own & direct.keys():
        reached, waiting = set[str](), [name]
        while waiting:
            new = direct.get(waiting.pop(), set()) - reached
            reached |= new
            waiting.extend(new)
        out[name] = frozenset(reached)
    return out


def _names(node: libsbml.ASTNode) -> Iterator[str]:
    if node.isName() and node.getName():
        yield node.getName()
    for i in range(node.getNumChildren()):
        yield from _names(node.getChild(i))
