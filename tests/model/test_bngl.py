"""What is inserted into BNGL text, and what may not be: BNG2.pl runs the actions it is given as Perl."""

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.model import load_model
from bnfhmc.model.bngl import for_network, undefined_free_names, with_parameters

BODY = """
begin molecule types
  A()
end molecule types
begin seed species
  A() A0__FREE
end seed species
begin observables
  Molecules A A()
end observables
begin reaction rules
  A() -> 0 k
end reaction rules
end model
"""
FREE = {"k1__FREE": 0.5, "A0__FREE": 3.0}

# what of the parameters block stands before BODY, and the free names that are then undefined
TEXTS = {
    "plain": ("begin model\nbegin parameters\n  k k1__FREE\nend parameters", {"k1__FREE", "A0__FREE"}),
    "numbered": ("begin model\nbegin parameters\n  1 k k1__FREE\n  2 z 3\nend parameters", {"k1__FREE", "A0__FREE"}),
    "labelled": ("begin model\nbegin parameters\n  rate: k k1__FREE\nend parameters", {"k1__FREE", "A0__FREE"}),
    "equals": ("begin model\nbegin parameters\n  k = 2*k1__FREE\nend parameters", {"k1__FREE", "A0__FREE"}),
    "indented": ("begin model\n\t begin   parameters  # rates\n  k k1__FREE\n  end parameters", {"k1__FREE", "A0__FREE"}),
    "defined": ("begin model\nbegin parameters\n  k1__FREE 2\n  k k1__FREE\nend parameters", {"A0__FREE"}),
    "defined, numbered": ("begin model\nbegin parameters\n 1 k1__FREE 2\n 2 k k1__FREE\nend parameters", {"A0__FREE"}),
    "defined, equals": ("begin model\nbegin parameters\n  k1__FREE = 2\n  k k1__FREE\nend parameters", {"A0__FREE"}),
    "in a comment": (
        "# begin parameters with k8__FREE\nbegin model\nbegin parameters # k9__FREE\n  k k1__FREE # k7__FREE 3\nend parameters",
        {"k1__FREE", "A0__FREE"},
    ),
    "a commented definition": (
        "begin model\nbegin parameters\n  # k1__FREE 2\n  k k1__FREE\nend parameters", {"k1__FREE", "A0__FREE"}
    ),  # fmt: skip
    "without a block": ("begin model", {"A0__FREE"}),
    "a longer name": ("begin model\nbegin parameters\n  k k1__FREE\n  k1__FREE2 4\nend parameters", {"k1__FREE", "A0__FREE"}),
}


def text_of(kind):
    return TEXTS[kind][0] + (BODY.replace(" k\n", " 0.5\n") if kind == "without a block" else BODY)


@pytest.mark.parametrize("kind", TEXTS)
def test_free_names_without_a_definition_are_found(kind):
    assert undefined_free_names(text_of(kind)) == TEXTS[kind][1]


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "dos"])
def test_a_model_with_free_names_loads_as_if_they_were_parameters(tmp_path, kind, newline):
    path = tmp_path / "m.bngl"
    path.write_bytes(text_of(kind).replace("\n", newline).encode())
    model = load_model(path, name="m", free=FREE | {"not_in_it": 1.0}, rtol=1e-10, atol=1e-10)
    assert TEXTS[kind][1] <= model.quantities.keys()
    k = {"equals": 1.0}.get(kind, 2.0 if kind.startswith("defined") else 0.5)
    times = np.array([0.0, 1.5])
    y, dy = model.solve({"A0__FREE": 2.0}, times, ("A",), ("A0__FREE",))
    np.testing.assert_allclose(y[:, 0], 2 * np.exp(-k * times), rtol=1e-7)
    np.testing.assert_allclose(dy[:, 0, 0], np.exp(-k * times), rtol=1e-6)
    assert path.read_bytes() == text_of(kind).replace("\n", newline).encode()


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "m.bngl"
    path.write_bytes(b"\xef\xbb\xbf" + text_of("plain").encode())
    assert load_model(path, name="m", free=FREE).quantities["k1__FREE"] == 0.5


def test_numbers_are_written_as_numbers_whatever_holds_them():
    for value in (0.1, np.float64(0.1), 1, 1e-300, 1 / 3, -2.5e20):
        line = with_parameters("begin parameters\nend parameters\n", {"k__FREE": value}).splitlines()[1]
        assert line.split()[0] == "k__FREE" and float(line.split()[1]) == float(value)


def test_nothing_to_insert_leaves_the_text_alone():
    assert with_parameters("anything", {}) == "anything"


def test_a_free_name_that_nothing_declares_is_named(tmp_path):
    path = tmp_path / "m.bngl"
    path.write_text(text_of("plain"))
    with pytest.raises(InputError) as error:
        load_model(path, name="m", free={"A0": 1.0})
    assert "k1__FREE" in str(error.value) and "A0__FREE" in str(error.value) and str(path) in str(error.value)


# generate_network

POLYMER = """
begin model
begin parameters
  k 1
end parameters
begin molecule types
  P(l,r)
end molecule types
begin seed species
  P(l,r) 100
end seed species
begin observables
  Molecules P P()
end observables
begin reaction rules
  P(r) + P(l) -> P(r!1).P(l!1) k
end reaction rules
end model
begin actions
  simulate({method=>"ode",t_end=>1,n_steps=>1})
end actions
"""


@pytest.mark.parametrize(
    "options, longest", [("max_iter=>2", None), ("max_stoich=>{P=>3}", 3), ("max_agg=>4, max_iter => 9", 4)]
)
def test_the_options_of_a_configuration_bound_the_network(tmp_path, options, longest):
    path = tmp_path / "m.bngl"
    path.write_text(POLYMER)
    model = load_model(path, name="m", generate_network=options)
    sizes = [name.count("P(") for name in model.amounts]
    assert 1 < len(sizes) < 10 and (longest is None or max(sizes) == longest)


HOSTILE = [
    'max_iter=>do{chdir ".."}, max_agg=>do{system "touch MARK"}',
    'max_iter=>do{system "touch MARK"}',
    'max_iter=>system "touch", "MARK"',
    'max_iter=>system{"touch"}"touch","MARK"',
    'max_iter=>do{open F, ">MARK"}',
    'max_iter=>do{mkdir "MARK"}',
    "max_iter=>do{unlink 'm.bngl'}",
    'max_iter=>`touch MARK`',
    'max_iter=>qx{touch MARK}',
    'max_iter=>1}); system("touch MARK"); generate_network({max_iter=>1',
    'max_iter=>1})\nsystem("touch MARK"',
    'max_iter=>1\nmax_agg=>do{mkdir "MARK"}',
    "max_iter=>exit",
    "max_iter=>die",
    'max_iter=>do{die "gone"}',
    "max_iter=>do{sleep 1}",
    "max_iter=>time",
    "prefix=>'..'",
    "}, {",
    "overwrite=>0",
    "max_iter=>1#",
    "max_iter",
    "max_iter=>",
    "nonsense=>3",
]


@pytest.mark.parametrize("options", HOSTILE)
def test_options_are_data_and_never_perl(tmp_path, monkeypatch, model_path, options):
    (tmp_path / "scratch").mkdir()
    path = tmp_path / "m.bngl"
    path.write_text(model_path("chain.bngl").read_text())
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        load_model(path, name="m", generate_network=options)
    assert "generate_network" in str(error.value) and str(path) in str(error.value)
    assert "BNG2.pl said" not in str(error.value)  # it never came to that
    assert not list(tmp_path.rglob("MARK*")) and path.exists()


def test_the_files_own_actions_are_not_run(tmp_path):
    path = tmp_path / "m.bngl"
    action = f'system("touch {tmp_path}/MARK")'
    path.write_text(POLYMER.replace("simulate(", f"{action}\n  simulate("))
    load_model(path, name="m", generate_network="max_iter=>2")
    assert not (tmp_path / "MARK").exists()


def test_options_replace_the_actions():
    text = for_network(POLYMER, "max_iter=>2")
    assert "simulate" not in text and text.count("generate_network") == 1 and "max_iter=>2" in text


RUN = "version(do{{system('touch {mark}');'2.0.0'}})"
SMUGGLED = {
    "a continuation that closes the block": "begin parameters\n  z 1\nend \\\nparameters\n{run}\n",
    "capitals that only look like a block": "BEGIN stuff\n{run}\nEND stuff\n",
    "another space than BNG2.pl's": "begin\u2003parameters\n{run}\nend\u2003parameters\n",
    "a space before that BNG2.pl does not take for one": "\u2003begin parameters\n{run}\n\u2003end parameters\n",
    "a block of its own": "begin stuff\n{run}\nend stuff\n",
    "the end of another block": "begin parameters\n  z 1\nend observables\n{run}\nend parameters\n",
    "bare": "{run}\n",
    "in the actions": "begin actions\n{run}\nend actions\n",
    "a protocol": "begin protocol\n{run}\nend protocol\n",
}


@pytest.mark.parametrize("kind", SMUGGLED)
def test_nothing_of_a_file_runs_outside_of_its_blocks(tmp_path, model_path, kind):
    """BNG2.pl evaluates what stands between blocks as Perl, so it must never see it."""
    path, mark = tmp_path / "m.bngl", tmp_path / "MARK"
    text = model_path("chain.bngl").read_text()
    at = text.index("end parameters") + len("end parameters\n")
    path.write_text(text[:at] + SMUGGLED[kind].format(run=RUN.format(mark=mark)) + text[at:], encoding="utf-8")
    try:
        load_model(path, name="m")
    except InputError as error:
        assert "line" in str(error) and str(path) in str(error)
    assert not mark.exists()
