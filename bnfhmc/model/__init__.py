"""y(t; θ) and ∂y/∂θ: the adapter to bngsim behind one small protocol."""

from bnfhmc.model.load import load_model
from bnfhmc.model.protocol import Failure, FailureKind, Model, Trajectory

__all__ = ["Failure", "FailureKind", "Model", "Trajectory", "load_model"]
