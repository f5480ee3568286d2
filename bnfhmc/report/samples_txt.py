"""samples.txt: the draws as PyBNF writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float


def write_samples(
    path: Path,
    names: Sequence[str],
    theta: Float[np.ndarray, "chain draw param"],
    ln_probability: Float[np.ndarray, "chain draw"],
) -> None:
    """Write one tab-separated line a draw, chain after chain, under a line of column names.

        # Name              Ln_probability      k1      k2
        iter<draw>run<chain>    −loss(u) + log p(u)     θ ...

    The parameters stand in alphabetical order and every number with all of its digits. White space within a name is
    written as one blank, since tabs and line ends separate columns and rows.

    names: of the last axis of `theta`; theta: draws in native units; ln_probability: log p(u | data) up to a constant,
    without the Jacobian of u → z.
    """
    order = sorted(range(len(names)), key=lambda i: names[i])
    header = ["# Name", "Ln_probability", *(re.sub(r"\s+", " ", names[i]) for i in order)]
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("\t".join(header) + "\n")
        for chain, (rows, lps) in enumerate(zip(theta[:, :, order].tolist(), ln_probability.tolist(), strict=True)):
            for draw, (row, lp) in enumerate(zip(rows, lps, strict=True)):
                out.write(f"iter{draw}run{chain}\t{lp!r}\t" + "\t".join(map(repr, row)) + "\n")
