"""A problem as the tables, models and YAML file of PEtab 2."""

from bnfhmc.write.petab.lint import lint
from bnfhmc.write.petab.problem import MAIN, petab_files

__all__ = ["MAIN", "lint", "petab_files"]
