"""A finished run in findings: each says what is seen, what it means, and what to type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bnfhmc.report.diagnosis import chains, data, identifiability, priors
from bnfhmc.report.study import Study
from bnfhmc.report.verdict import Finding

Rule = Callable[[Study], Iterator[Finding]]


def _verdict(study: Study) -> Iterator[Finding]:
    yield from study.verdict.findings


# Topic → its rules. Those of "chains" say whether the draws are the posterior's; all others what the posterior says.
TOPICS: Mapping[str, tuple[Rule, ...]] = {
    "chains": (_verdict, chains.basins, chains.energy, chains.tree_depth, chains.cost),
    "priors": (priors.dominating, priors.contradicted, priors.bounds),
    "determined": (identifiability.undetermined, identifiability.correlated),
    "data": (data.unsolved, data.coverage, data.patterned, data.calibrated, data.influential),
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings by topic, those that forbid to trust the draws among them."""

    topics: Mapping[str, tuple[Finding, ...]]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the blocking ones first."""
        every = [f for found in self.topics.values() for f in found]
        return tuple(sorted(every, key=lambda f: not f.blocking))

    @property
    def trusted(self) -> bool:
        """Whether the draws can be taken for the posterior."""
        return not any(f.blocking for f in self.findings)


def diagnose(study: Study, more: Mapping[str, tuple[Finding, ...]] | None = None) -> Diagnosis:
    """Every rule's findings. ``more``: findings of further topics, as the tolerance audit gives them."""
    found = {topic: tuple(f for rule in rules for f in rule(study)) for topic, rules in TOPICS.items()}
    return Diagnosis({**found, **(more or {})})
