"""The words of a configuration for families of priors and of noise."""

from __future__ import annotations

from collections.abc import Mapping

from bnfhmc.noise import NOISE_FAMILIES
from bnfhmc.prior import FAMILIES

PRIOR_WORDS: Mapping[type, str] = {family: word for word, family in FAMILIES.items()}
NOISE_WORDS: Mapping[type, str] = {type(family()): word for word, family in reversed(list(NOISE_FAMILIES.items()))}
