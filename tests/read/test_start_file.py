"""Points to start from, out of a table."""

from __future__ import annotations

import pytest

from bnfhmc.errors import InputError
from bnfhmc.read.start_file import read_starts


def table(tmp_path, text):
    path = tmp_path / "starts.txt"
    path.write_text(text)
    return path


def test_columns_are_found_by_name_and_others_are_left_out(tmp_path):
    path = table(tmp_path, "# Name\tLn_probability\tb c\ta\niter0run0\t-3.5\t2\t1e-3\n")
    assert read_starts(path, ["a", "b c"], 4) == [{"a": 1e-3, "b c": 2.0}]


def test_rows_are_spread_over_the_table(tmp_path):
    path = table(tmp_path, "a b\n" + "".join(f"{i} 0\n" for i in range(11)) + "\n")
    assert [row["a"] for row in read_starts(path, ["a"], 3)] == [0.0, 5.0, 10.0]
    assert len(read_starts(path, ["a"], 100)) == 11


@pytest.mark.parametrize(("text", "said"), [
    ("", "starts.txt:1: there is no column for a, b"),
    ("a c\n1 2\n", "starts.txt:1: there is no column for b"),
    ("a b\n", "starts.txt:1: there is no row with numbers"),
    ("a b\n1 2\n3 x\nnan\n", "starts.txt:3: there is no number for b"),
])  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, text, said):
    with pytest.raises(InputError) as raised:
        read_starts(table(tmp_path, text), ["a", "b"], 9)
    assert said in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="starts.txt"):
        read_starts(tmp_path / "starts.txt", ["a"], 1)
