"""The page: what it says, and that nothing a file or a model holds is anything but text."""

import json
import re
from base64 import b64decode
from copy import copy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem
from bnfhmc.report.diagnosis import diagnose
from bnfhmc.report.diagnosis.audit import Audit
from bnfhmc.report.page import gallery as galleries
from bnfhmc.report.page import render, write_report
from tests.report.finished import draws, laplace, problem, study

HOSTILE = ("<script>alert(1)</script>", "\"><img src=x onerror=alert(2)>", "{{ 7*7 }}{% raw %}")
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """The elements, their attributes, and the text of a page; strict about what is opened and closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.words = [], [], []
        self.feed(text)
        self.close()
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


def page_of(made, **more):
    return Page(render(made, diagnose(made, {"solver": ()}), **more))


@pytest.fixture(scope="module")
def made():
    return study()


def with_record(made, **changed):
    """The same study of a run whose record says something else."""
    other = copy(made)
    other.run = replace(made.run, record={**made.run.record, **changed})
    return other


@pytest.fixture(scope="module")
def drawn(made):
    """What stands in for `pictures`: those of this study, each drawn once."""
    found = {kind: tuple(galleries.pictures(made, kind)) for kind in galleries.KINDS}
    return lambda _, kind, **__: found[kind]


@pytest.fixture(scope="module")
def good(made, drawn):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(galleries, "pictures", drawn)
        return page_of(made)


@pytest.fixture
def plain(monkeypatch):
    """A page whose words are what counts: nothing is drawn."""
    monkeypatch.setattr(galleries, "pictures", lambda *_, **__: ())


def test_the_verdict_comes_first(good):
    assert good.text.index("These draws can be trusted") < good.text.index("Fit")
    assert "4 chains agree (R-hat ≤ 1.0" in good.text and "no trajectory diverged" in good.text
    assert [a["id"] for a in good.named("section")] == ["verdict", "fit", "estimates", "diagnosis", "undetermined", "run"]


def test_a_bad_run_says_why(plain):
    posterior = Posterior(problem())
    z = laplace(posterior)
    z[3] += 5.0
    bad = page_of(study(posterior, draws(posterior, z)))
    assert "Do not trust these draws yet, because:" in bad.text and "R-hat is" in bad.text and "The chains lie in" in bad.text


def test_every_estimate_is_in_the_table(good, made):
    for name, mean in zip(made.names, made.summary.mean, strict=True):
        assert name in good.text and f"{mean:.4g}" in good.text
    assert {"sortable"} <= {a.get("class") for a in good.named("table")}
    assert any(float(a["data-value"]) == made.summary.mean[0] for a in good.named("td") if a.get("data-value"))


def test_pictures_are_inlined_and_have_words(good):
    images = good.named("img")
    assert len(images) >= 12
    for image in images:
        kind, data = image["src"].split(",", 1)
        assert kind == "data:image/svg+xml;base64" and b64decode(data).lstrip().startswith(b"<?xml") and len(image["alt"]) > 20


def test_nothing_is_remote(good):
    assert not good.named("link") and not good.named("iframe") and len(good.named("script")) == 1
    for _, attrs in good.elements:
        for name in ("src", "href", "action", "srcset", "data"):
            assert attrs.get(name, "#").startswith(("data:image/", "#"))
        assert not any(name.startswith("on") or name == "style" for name in attrs)
    policy = next(a["content"] for a in good.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;") and "'unsafe-inline'" not in policy.split("script-src")[1]


def test_it_can_be_read_aloud(good):
    assert good.named("html") == [{"lang": "en"}] and len(good.named("h1")) == 1
    assert all(a.get("scope") == "col" for a in good.named("th"))
    assert len(good.named("caption")) == len(good.named("table")) and len(good.named("figcaption")) == len(good.named("img"))


def test_how_it_was_run(good):
    command = "bnfhmc run fit.conf --method nuts --chains 4 --num-warmup 5 --num-samples 250 --start map --seed 1 -o again"
    assert command in good.text
    assert "num_warmup" in good.text and '"random_seed"' in good.text and "solver" in good.text


def test_merged_runs_say_so(made, plain):
    merged = with_record(made, merged_from=["a b", "c"], random_seed=[1, 2])
    assert "bnfhmc merge 'a b' c -o again" in page_of(merged).text


def test_hostile_names_stay_text(good):
    posterior = Posterior(problem(HOSTILE, title="</section><script>alert(3)</script>"))
    p = replace(posterior.problem, path=Path('<b onclick="alert(4)">.conf'))
    hostile = page_of(study(Posterior(p)))
    good_tags = {tag for tag, _ in good.elements}
    assert {tag for tag, _ in hostile.elements} <= good_tags and len(hostile.named("script")) == 1
    assert not any(name.startswith("on") for _, attrs in hostile.elements for name in attrs)
    for name in (*HOSTILE, "</section><script>alert(3)</script>", '<b onclick="alert(4)">.conf'):
        assert name in hostile.text
    assert '"name": "{{ 7*7 }}{% raw %}"' in hostile.text and '"name": "49' not in hostile.text


def test_hostile_records_stay_text(made, plain):
    record = json.loads(json.dumps(made.run.record))
    record["versions"]["jax"] = record["ended"] = record["configuration"]["file"] = "</pre><script>alert(5)</script>"
    page = page_of(with_record(made, **record))
    assert len(page.named("script")) == 1 and page.text.count("</pre><script>alert(5)</script>") >= 3


def test_the_audit_is_told(made, plain):
    found = Audit((1e-8, 1e-10), 200, 0, 0.2, 3e-5, {"k": 1e-4})
    assert "Not audited. bnfhmc report --audit" in page_of(made).text
    assert "change their log likelihood by at most 3.0e-05" in page_of(made, audited=found, with_audit=True).text
    assert "No model here has a tolerance" in page_of(made, with_audit=True).text


def test_the_budget_is_kept(made, drawn, monkeypatch):
    monkeypatch.setattr(galleries, "pictures", drawn)
    monkeypatch.setattr(galleries, "BUDGET", 100_000)
    text = render(made, diagnose(made, {"solver": ()}))
    assert len(text) < 160_000 and "further pictures are left out here; <code>bnfhmc plot out " in text


def test_units_reach_the_pictures(made, monkeypatch):
    monkeypatch.setattr(galleries, "KINDS", {"fit"})
    with_units, without = (galleries.gallery(made, units)["fit"].shown[0].data for units in ({"time": "min"}, None))
    assert with_units != without


class Objective:
    """loss = ½ Σ u², a closed form without data."""

    names = ("A0", "k", "sd")

    def loss(self, theta):
        return self.loss_gradient(theta)[0]

    def loss_gradient(self, theta):
        r = np.array([np.log10(theta[0]), np.log10(theta[1]), theta[2]])
        return 0.5 * float(r @ r), r * [1 / (theta[0] * np.log(10)), 1 / (theta[1] * np.log(10)), 1.0]


def test_an_objective_without_data_has_a_page():
    p = problem()
    posterior = Posterior(Problem(p.parameters, {}, (), p.settings, p.path, Objective()))
    page = page_of(study(posterior))
    assert "There are no measurements" in page.text and "can be trusted" in page.text


def test_writing(made, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(galleries, "pictures", drawn)
    path, found = write_report(made, tmp_path)
    assert path == tmp_path / "report.html" and found.trusted and list(tmp_path.iterdir()) == [path]
    assert 50_000 < path.stat().st_size < 10_000_000
    write_report(made, tmp_path)
    path.write_text("mine")
    with pytest.raises(InputError, match=r"report.html: is not from bnfhmc, and is left alone; move it away"):
        write_report(made, tmp_path)
    assert path.read_text() == "mine"
