"""Names that both formats take."""

from bnfhmc.write.names import Names, identifier


def test_what_no_name_may_hold_becomes_an_underscore():
    assert identifier("A(b~p,c!1)") == "A_b_p_c_1"
    assert identifier("2nd run") == "_2nd_run"
    assert identifier("../../etc/passwd") == "etc_passwd"
    assert identifier("()") == "_"


def test_a_name_is_given_once_whatever_its_case():
    names = Names()
    names.take(["A"])
    assert [names.new("a"), names.new("a", "obs_"), names.new("a", "obs_"), names.new("b"), names.new("B")] == [
        "a_2", "obs_a", "obs_a_2", "b", "B_2"
    ]  # fmt: skip


def test_words_of_formulas_are_no_names():
    assert Names().new("inf") == "inf_2"
    assert Names().new("time", "e_") == "e_time"
