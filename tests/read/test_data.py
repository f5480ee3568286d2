"""Data files."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc.errors import InputError


def series(folder, fit, data: str | bytes):
    folder.write("d1.exp", data)
    return {s.name: s for s in folder.load(fit).experiments[0].series}


def test_header_forms(folder, fit):
    for header in ("time A B", "# time A B", "#Time\tA()\t[B]", "\n\n#  TIME A B #"):
        got = series(folder, fit, f"{header}\n1 2 3\n")
        assert (got["A"].observed, got["B"].observed) == ([2.0], [3.0])


def test_comments_blank_lines_missing_values_and_line_ends(folder, fit):
    got = series(folder, fit, b"\xef\xbb\xbftime A B\r\n\r\n# a row\r\n 1\t2  nan\r\n2 NaN 5e-1\r\n")
    assert (got["A"].observed, got["B"].observed) == ([2.0], [0.5])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", ": the file is empty; its first line names the columns: time <observable> …"),
        ("\n \n", ": the file is empty; its first line names the columns: time <observable> …"),
        ("time A B\n", ":1: no rows follow the header; give one row a measurement time"),
        ("time\n1\n", ":1: no column but time; name each measured observable in the header"),
        ("time A A\n1 2 3\n", ":1: two columns are named 'A'; name each column once"),
        ("time A ()\n1 2 3\n", ":1: a column has no name; write the observable's name before its ()"),
        (
            "dose A\n1 2\n",
            ":1: the first column is 'dose', neither time nor a quantity of the model 'decay'; the first column is named "
            "time, or after the parameter that is scanned",
        ),
        (
            "tme A\n1 2\n",
            ":1: the first column is 'tme', neither time nor a quantity of the model 'decay'; did you mean 'time'?",
        ),
        (
            "time,A\n1,2\n",
            ":1: the first column is named 'time,A'; columns are separated by white space",
        ),
        ("time A\n1 2\n3\n", ":3: 1 values where the header names 2 columns; a missing value is written nan"),
        ("time A\n1 2 3\n", ":2: 3 values where the header names 2 columns; a missing value is written nan"),
        ("time A\n1 2,5\n", ":2: '2,5' is no number; a missing value is written nan"),
        ("time A\n-1 2\n", ":2: the time is negative, and integration starts at 0; shift the times"),
        (
            "time A\n1 2\ninf 2\n",
            ":3: a measurement at steady state (time inf) among finite times; put it into another file, with an experiment "
            "of its own",
        ),
        ("A0 A\n1 2\ninf 2\n", ":3: 'A0' is not finite; a row needs its value of 'A0'"),
        ("A0 A\nnan 2\n", ":2: 'A0' is not finite; a row needs its value of 'A0'"),
        ("k1 A\n1 2\n", ":1: 'k1' is scanned, and fitted as a parameter; scan another quantity, or do not declare this one"),
        ("time A\nnan 2\n", ":2: the time is nan; a row needs its time"),
        ("time A\n1 -inf\n", ":2: an infinite value; a missing value is written nan"),
    ],
)
def test_what_is_wrong(folder, fit, text, what):
    folder.write("d1.exp", text)
    assert folder.wrong(fit) == [f"d1.exp{what}"]


def test_every_row_is_said_up_to_a_limit(folder, fit):
    folder.write("d1.exp", "time A\n" + "1 x\n" * 1000)
    found = folder.wrong(fit)
    assert found[0] == "d1.exp:2: 'x' is no number; a missing value is written nan"
    assert found[-1] == "d1.exp:22: 980 more like these from this line on"
    assert len(found) == 21


def test_files_that_are_no_data(folder, fit):
    for name in ("c.xlsx",):
        folder.write(name, "time A\n1 2\n")
    (folder.path / "dir.exp").mkdir()
    found = folder.wrong(fit.replace("d1.exp", "c.xlsx, dir.exp, d2.exp"))
    assert found == [
        "fit.conf:5: 'c.xlsx' is no data file; the name of a data file ends in .exp, .tsv or .csv",
        "fit.conf:5: 'dir.exp' is a folder; name a file in it",
        "fit.conf:5: file 'd2.exp' not found; did you mean 'd1.exp'?",
    ]


def test_a_file_of_many_rows(folder, fit):
    t = np.arange(20_000)
    got = series(folder, fit, "time A B\n" + "".join(f"{i} {i * 0.5} 1\n" for i in t))
    assert np.array_equal(got["A"].observed, t * 0.5)


@pytest.mark.parametrize(("suffix", "text"), [
    ("csv", "\ufefftime,A,B\r\n1,2,\r\n2,,0.5\r\n,,\r\n"),
    ("csv", "# time, A(), \"B\"\n1, 2, nan\n\n# a row\n2, nan, 5e-1\n"),
    ("tsv", "time\tA\tB\n1\t2\t\n2\t\t0.5\n"),
])  # fmt: skip
def test_what_a_spreadsheet_writes(folder, fit, suffix, text):
    folder.write(f"d1.{suffix}", text.encode())
    got = {s.name: s for s in folder.load(fit.replace("d1.exp", f"d1.{suffix}")).experiments[0].series}
    assert (got["A"].observed, got["B"].observed) == ([2.0], [0.5])


def test_a_column_of_a_spreadsheet_without_a_name(folder, fit):
    folder.write("d1.csv", b"time,A,\n1,2,3\n")
    with pytest.raises(InputError, match="d1.csv:1: a column has no name"):
        folder.load(fit.replace("d1.exp", "d1.csv"))
