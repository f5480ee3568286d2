"""Text → Problem: PyBNF-style configurations (editions 1 and 2), data files, and what a .bngl file says of a fit."""

from bnfhmc.read.conf import load, read_conf
from bnfhmc.read.record import Conf

__all__ = ["Conf", "load", "read_conf"]
