"""Mapping tables: the names that other tables have for a model's entities whose own names are no identifiers."""

from __future__ import annotations

from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import Part
from bnfhmc.read.petab.tables import ID, Rows, read_table

_REQUIRED = ("petabEntityId", "modelEntityId")


def read_mapping(part: Part, mistakes: Mistakes) -> dict[str, str]:
    """The model's own name of an entity, by the name that tables use; rows that only annotate are left out."""
    rows = Rows(mistakes)
    tables = [read_table(f.path, mistakes, f.line, _REQUIRED) for f in part.tables.get("mapping_files", ())]
    named = ((name, row) for t in tables if t is not None for row in t.rows if (name := rows.id(row, "petabEntityId")))
    out = {}
    for name, row in rows.unique(named, "petabEntityId"):
        own = row.get("modelEntityId")
        if own and own != name and ID.fullmatch(own):
            rows.wrong(row, f"'{name}' stands for '{own}', which is an identifier already", f"use '{own}' in all the tables")
        elif own and own != name:
            out[name] = own
    return out
