"""Objectives without a model: a loss −log p(θ) and its gradient, in closed form or from the user."""

from bnfhmc.noise.target.closed_form import Banana, Funnel, Gaussian, Multimodal, RotatedGaussian, RotatedQuartic
from bnfhmc.noise.target.expression import ExpressionTarget
from bnfhmc.noise.target.parse import TARGETS, parse_target
from bnfhmc.noise.target.protocol import KnownTarget, Moments, Target
from bnfhmc.noise.target.python import CallableTarget, load_callable

__all__ = [
    "TARGETS", "Banana", "CallableTarget", "ExpressionTarget", "Funnel", "Gaussian", "KnownTarget", "Moments",
    "Multimodal", "RotatedGaussian", "RotatedQuartic", "Target", "load_callable", "parse_target",
]  # fmt: skip
