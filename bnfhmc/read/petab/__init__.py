"""PEtab problems, versions 1 and 2, as the same Problem that a configuration is.

petab reads the mathematics and checks what is read; tables are read cell by cell, so that every mistake has its file and row.
"""

from bnfhmc.read.petab.reader import read_petab

__all__ = ["read_petab"]
