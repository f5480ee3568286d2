"""The page in a browser: no error on the console, nothing asked of the network, and a table that sorts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bnfhmc.posterior import Posterior
from bnfhmc.report.page import write_report
from tests.report.finished import problem, study

BROWSER = next((found for n in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(n))), None)
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.slow,
]
HOSTILE = ("<script>alert(1)</script>", "\"><img src='http://example.com/x' onerror=alert(2)>", "sd")
# The test's own click, in the place of the page's policy, which lets only the page's script run.
CLICK = """<script>
document.querySelectorAll("table.sortable th button")[2].click();
const rows = [...document.querySelector("table.sortable").tBodies[0].rows];
document.title = rows.map((r) => r.cells[2].dataset.value).join(" ");
</script></body>"""


def opened(path: Path, folder: Path) -> tuple[str, str]:
    """The DOM after the page has run, and what the browser wrote on its log; every host name leads nowhere."""
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
         f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'net.json'}", "--enable-logging=stderr", "--v=0",
         "--virtual-time-budget=5000", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, done.stderr


def hosts(folder: Path) -> set[str]:
    """The hosts that were asked for something, as the browser's network log has them."""
    log = (folder / "net.json").read_text(encoding="utf-8", errors="replace")
    return set(re.findall(r'"url":"(?:https?|wss?|ftp)://([^/"]+)', log))


def asked(folder: Path, idle: set[str]) -> set[str]:
    """The hosts that a page asked for: those that the browser does not look for by itself."""
    return hosts(folder) - idle


def console(log: str) -> list[str]:
    """The lines that pages wrote on the console."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(study(Posterior(problem(HOSTILE, title="</main><script>alert(3)</script>"))),
                        tmp_path_factory.mktemp("page"))[0]  # fmt: skip


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """The hosts that the browser looks for with an empty page."""
    folder = tmp_path_factory.mktemp("idle")
    (folder / "empty.html").write_text("<!doctype html><title>empty</title>", encoding="utf-8")
    opened(folder / "empty.html", folder)
    return hosts(folder)


def test_it_opens_without_an_error_and_offline(page, tmp_path, idle):
    dom, log = opened(page, tmp_path)
    assert not console(log) and not asked(tmp_path, idle)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in dom and len(re.findall(r"<script", dom)) == 1
    assert len(re.findall(r"<th[^>]*><button", dom)) > 10  # the page's own script ran


def test_these_tests_would_see_an_error_and_a_request(page, tmp_path, idle):
    text = page.read_text(encoding="utf-8")
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    wrong = tmp_path / "wrong.html"
    more = "<script>console.error('seen')</script><img src='http://example.com/seen.png'></body>"
    wrong.write_text(policy.sub("", text).replace("</body>", more), encoding="utf-8")
    _, log = opened(wrong, tmp_path)
    assert any("seen" in line for line in console(log)) and asked(tmp_path, idle) == {"example.com"}
    kept = tmp_path / "kept.html"
    kept.write_text(text.replace("</body>", more), encoding="utf-8")
    _, log = opened(kept, tmp_path)
    assert any("Content Security Policy" in line for line in console(log)) and not asked(tmp_path, idle)


def test_a_click_on_a_heading_sorts(page, tmp_path):
    text = page.read_text(encoding="utf-8")
    clicked = tmp_path / "clicked.html"
    clicked.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace("</body>", CLICK),
                       encoding="utf-8")  # fmt: skip
    dom, _ = opened(clicked, tmp_path)
    means = [float(x) for x in re.search(r"<title>([^<]*)</title>", dom).group(1).split()]
    assert len(means) == 3 and means == sorted(means)
