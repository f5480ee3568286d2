"""Rows on a terminal and lines elsewhere."""

import io
import re
import time

import numpy as np
import pytest
from rich.console import Console

from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.kernels.nuts import Nuts
from bnfhmc.samplers.progress import COLUMNS, LiveTable, PlainLines, Row, progress_on
from tests.samplers.targets import Gaussian


def row(draws=3, **options):
    r = Row(chain=1, total=10, **options)
    r.begin("sampling")
    for n in range(draws):
        r.drawn(step_size=0.25, tree_depth=4, diverging=n == 0, failed=2, gradients=15 * (n + 1))
    r.seconds, r.seconds_per_draw = 0.09, 10.0
    return r


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, height=20, legacy_windows=False)


def test_a_row_in_words():
    assert dict(zip(COLUMNS, row().cells(), strict=True)) == {
        "chain": "2",
        "phase": "sampling",
        "draw": "3/10",
        "step size": "0.25",
        "depth": "4",
        "divergences": "1",
        "failed solves": "2",
        "ms/solve": "2",
        "time left": "1:10",
    }


def test_a_row_that_has_not_begun_promises_nothing():
    assert Row(0, 10).cells() == ("1", "waiting", "0/10", "", "", "0", "0", "", "")


def test_counts_start_again_with_a_phase_and_the_draws_go_on():
    r = row()
    r.begin("other")
    assert (r.divergences, r.failed, r.gradients, r.seconds, r.draw) == (0, 0, 0, 0.0, 3)


def test_the_price_of_a_draw_follows_what_draws_cost_now(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    r = Row(0, 1000)
    r.begin("warm-up")
    for cost, draws in ((10.0, 100), (1.0, 400)):
        for _ in range(draws):
            clock[0] += cost
            r.drawn(step_size=1.0, tree_depth=1, diverging=False, failed=0, gradients=1)
        assert r.seconds_per_draw == pytest.approx(cost, rel=0.05)
    assert r.seconds == pytest.approx(1400.0)


def test_a_terminal_gets_the_table_and_anything_else_lines():
    assert isinstance(progress_on(console(True)), LiveTable)
    assert isinstance(progress_on(console(False)), PlainLines)


def test_the_table_has_a_row_a_chain():
    out = console(True)
    with LiveTable(out).watching([row(), Row(0, 10)]):
        pass
    said = out.file.getvalue()
    for word in (*COLUMNS, "3/10", "0.25", "waiting"):
        assert word in said


def test_lines_say_each_chain_once_while_nothing_changes():
    out = console(False)
    with PlainLines(out, every=0.01).watching([row(), Row(0, 10)]):
        time.sleep(0.2)
    assert out.file.getvalue().splitlines() == [
        "chain 2: sampling 3/10, step size 0.25, depth 4, 1 divergences, 2 failed solves, 2 ms/solve, 1:10 left",
        "chain 1: waiting",
    ]


def test_lines_end_with_the_last_state():
    out, r = console(False), Row(0, 2)
    with PlainLines(out, every=1000.0).watching([r]):
        r.begin("sampling")
        for _ in range(2):
            r.drawn(step_size=0.5, tree_depth=2, diverging=False, failed=0, gradients=0)
        r.phase = "done"
    assert out.file.getvalue() == "chain 1: done 2/2, step size 0.5, depth 2, 0 divergences, 0 failed solves\n"


def test_a_display_ends_where_the_run_raises():
    out = console(False)
    with pytest.raises(KeyError), PlainLines(out, every=1000.0).watching([row()]):
        raise KeyError
    assert "chain 2: sampling" in out.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_shows_every_chain_to_its_end_and_draws_the_same(terminal):
    options = {"random_seed": 1, "chains": 2, "num_warmup": 30, "num_samples": 20}
    out = console(terminal)
    shown = run_chains(Nuts(), Gaussian(np.eye(3)), progress=progress_on(out), **options)
    np.testing.assert_array_equal(shown.z, run_chains(Nuts(), Gaussian(np.eye(3)), **options).z)
    said = out.file.getvalue()
    for chain in (1, 2):
        assert re.search(rf"{chain}:? +done +50/50", said)
