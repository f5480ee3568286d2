"""A problem as a configuration with its model and data files."""

from bnfhmc.write.conf.problem import MAIN, conf_files

__all__ = ["MAIN", "conf_files"]
