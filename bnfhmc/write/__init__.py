"""Problem → files: PEtab 2 from a configuration, and a configuration from PEtab."""

from bnfhmc.write.convert import Written, convert

__all__ = ["Written", "convert"]
