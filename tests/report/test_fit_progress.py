"""What a fit shows while it runs: a line when it is told of a solve and one is due, and no thread for it."""

import io
import threading

import numpy as np
import pytest
from rich.console import Console

from bnfhmc.optimizers import Step
from bnfhmc.report import fit_progress
from bnfhmc.report.fit_progress import FitProgress

U = np.array([0.5, 2.0])


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_is_shown_as_solves_are_told_of(terminal, monkeypatch):
    monkeypatch.setattr(fit_progress, "REDRAWN", 0.0)
    out, progress, threads = io.StringIO(), FitProgress(every=0.0), threading.active_count()
    with progress.watching(Console(file=out, force_terminal=terminal, width=120)):
        for step in (Step(0, 8, np.inf, U * np.nan), Step(1, 12, 3.5, U), Step(0, 20, 4.5, 2.0 * U)):
            assert progress.told(step) is False
        assert threading.active_count() == threads
    assert "looking for places to start from, 8 solves, 0:00" in out.getvalue()
    assert "2 starts begun, 32 solves, best log posterior -3.5 (start 2), 0:00" in out.getvalue()
    assert progress.best[0] == 3.5 and progress.best[1] is U


def test_a_line_that_is_not_due_is_not_shown():
    out, progress = io.StringIO(), FitProgress(every=100.0)
    with progress.watching(Console(file=out)):
        progress.told(Step(0, 8, 1.0, U))
    assert out.getvalue() == ""
