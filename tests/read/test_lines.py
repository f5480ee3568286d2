"""Text → statements, numbers, fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnfhmc.read.lines import fields, finite, number, read_text, split, statements, unquoted, whole, without_comment
from bnfhmc.read.mistakes import Mistakes


def mistakes() -> Mistakes:
    return Mistakes(Path("fit.conf"))


def said(found: Mistakes) -> list[str]:
    return [str(m) for m in found.found]


def test_both_forms_with_their_lines():
    text = "# a comment\n\nFit_Type = nuts  # NUTS\n\tmodel :  a.bngl , b.bngl\nnoise_model A = normal, sigma = fit s\n"
    found = mistakes()
    assert [(s.line, s.key, s.form, s.value, s.subject) for s in statements(text, found)] == [
        (3, "fit_type", "=", "nuts", ""),
        (4, "model", ":", "a.bngl , b.bngl", ""),
        (5, "noise_model", "=", "normal, sigma = fit s", "A"),
    ]
    assert not found.found


def test_the_first_sign_tells_the_form():
    a, b = statements('model = a.bngl : d.exp\ncondition: c, perturbations: k = 2, "L(a,b#)" = 3\n', mistakes())
    assert (a.form, b.form) == ("=", ":")
    assert b.items == ("c", "perturbations: k = 2", '"L(a,b#)" = 3')


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("fit_type nuts", "fit.conf:1: 'fit_type nuts' is no 'key = value'; type 'fit_type = nuts'"),
        ("= 3", "fit.conf:1: '= 3' has no key; type 'key = value'"),
        ("seed =   # none", "fit.conf:1: 'seed =' has no value; type 'key = value'"),
    ],
)
def test_a_line_that_says_nothing(text, what):
    found = mistakes()
    assert statements(text, found) == ()
    assert said(found) == [what]


def test_a_comment_starts_outside_quotes_only():
    assert without_comment('a = "x # y" # z') == 'a = "x # y"'
    assert without_comment('a = "x # y') == 'a = "x'  # a quote that is never closed quotes nothing


def test_split_keeps_quotes_and_brackets_whole():
    assert split('a, f(b, c), "d, e", [1, {2, 3}]', ",") == ("a", "f(b, c)", '"d, e"', "[1, {2, 3}]")
    assert split("a,,b", ",") == ("a", "", "b")
    assert split("a)b, c", ",") == ("a)b", "c")


def test_numbers():
    assert [number(t) for t in ("1", "-.5", "+2.e-3", "INF", "nan", "1_0", "0x1", "", "1e", "٣")][:4] == [
        1,
        -0.5,
        2e-3,
        float("inf"),
    ]
    assert number("nan") != number("nan")
    assert all(number(t) is None for t in ("1_0", "0x1", "", "1e", "٣", "1 2"))
    assert (finite("inf"), finite("3")) == (None, 3.0)
    assert (whole("12"), whole("-3"), whole("4.0"), whole("9" * 30)) == (12, -3, None, None)


def test_unquoted():
    assert (unquoted(' "a b" '), unquoted("'x'"), unquoted('"x'), unquoted('"')) == ("a b", "x", '"x', '"')


def record(text: str, known: dict[str, str] | None, found: Mistakes):
    (s,) = statements(text, found)
    return fields(s, known, found)


def test_fields_hold_the_items_after_them():
    got = record("experiment: d1, data: a.exp, b.exp, condition: c", {"data": "", "condition": ""}, mistakes())
    assert got.head == ("d1",)
    assert got.named == {"data": ("a.exp", "b.exp"), "condition": ("c",)}
    assert (got.text("data"), got.text("model")) == ("a.exp, b.exp", None)


def test_a_drive_letter_is_no_field():
    got = record("experiment: d1, data: a.exp, C:\\x\\b.exp", {"data": ""}, mistakes())
    assert got.named == {"data": ("a.exp", "C:\\x\\b.exp")}


def test_fields_unknown_refused_repeated_and_empty():
    found = mistakes()
    record(
        "experiment: d1, dta: a.exp, data: a, , data: b, t_end: 3", {"data": "", "t_end": "is not supported yet"}, found
    )
    assert said(found) == [
        "fit.conf:1: 'experiment:' has no field 'dta:'; did you mean 'data'?",
        "fit.conf:1: 'data:' is given twice in one 'experiment:' line; keep one",
        "fit.conf:1: 't_end:' is not supported yet",
    ]
    found = mistakes()
    record("experiment: d1,, data: a.exp", {"data": ""}, found)
    assert said(found) == ["fit.conf:1: a part of 'experiment:' is empty; delete the comma or complete it"]


def test_text_with_byte_order_mark_and_any_line_ends(tmp_path):
    path = tmp_path / "a.conf"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\rc = \xc3\xa4\n")
    assert read_text(path, mistakes()) == "a = 1\nb = 2\nc = ä\n"


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"a = 1\n\xff\xfe", "a.conf:2: no UTF-8 text (byte 0xff); save the file as UTF-8"),
        (b"a\nb\n\0", "a.conf:3: no text: it holds a NUL character; save the file as UTF-8"),
    ],
)
def test_what_is_no_text(tmp_path, raw, what):
    path, found = tmp_path / "a.conf", mistakes()
    path.write_bytes(raw)
    assert read_text(path, found, 7) is None
    assert said(found) == [f"{tmp_path}/{what}"]


def test_what_is_not_there(tmp_path):
    (tmp_path / "d1.exp").write_text("")
    found = mistakes()
    for name in ("d2.exp", ".", "x" * 5000, "d1.exp/a"):
        assert read_text(tmp_path / name, found, 7) is None
    what = said(found)
    assert what[0] == f"fit.conf:7: file '{tmp_path}/d2.exp' not found; did you mean 'd1.exp'?"
    assert what[1] == f"fit.conf:7: '{tmp_path}' is a folder; name a file in it"
    assert all(w.startswith("fit.conf:7: file '") and w.endswith("not found") for w in what[2:])


def test_mistakes_are_ordered_and_said_once():
    found = mistakes()
    found.at(Path("d.exp")).add(1, "x")
    found.add(9, "later")
    found.add(2, "earlier", "type it")
    found.add(2, "earlier", "type it")
    with pytest.raises(ValueError, match="fit.conf:2: earlier; type it\nfit.conf:9: later\nd.exp:1: x"):
        found.raise_any()


def test_many_of_a_kind_are_counted():
    found = mistakes()
    found.add_each((n, "wrong", "") for n in range(1, 101))
    assert len(found.found) == 21
    assert said(found)[-1] == "fit.conf:21: 80 more like these from this line on"
