"""The script that looks at the pages of docs finds what is wrong with one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
THEME = """<script>
const dark = matchMedia("(prefers-color-scheme: dark)");
const show = () => {
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
};
dark.addEventListener("change", show);
show();
</script>"""
GOOD = "<p>calibration</p>"
BAD = """<div style="width: 2000px">wide</div>
<script>console.error("oh")</script>
<img src="https://example.invalid/a.png" alt="from elsewhere">
<img src="none.png">
<a href="nowhere.html">a link</a>
<p style="color: #bbb">faint</p> <p style="font-size: 9px">tiny</p>
<div class="highlight"><pre>x = 1</pre><button class="copybtn">copy</button></div>"""
# Of the theme's: words in a list.
SEARCH = '<div id="search-results"><ul class="search">{}</ul></div>'


@pytest.fixture
def look(tmp_path):
    pytest.importorskip("playwright")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no browser")

    def look(body, results):
        for name, text in {"index": body, "search": SEARCH.format(results)}.items():
            page = f'<html lang="en"><head>{THEME}</head><body>{text}</body></html>'
            (tmp_path / f"{name}.html").write_text(page)
        (tmp_path / "favicon.ico").touch()
        script = ROOT / "docs" / "look_at_pages.py"
        return subprocess.run(
            [sys.executable, script, tmp_path], capture_output=True, text=True
        )

    return look


def test_good_page__passes(look):
    done = look(GOOD, "<li>calibration</li>")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 pages, 8 views" in done.stdout


def test_bad_page__fails_in_every_way(look):
    done = look(BAD, "")
    assert done.returncode == 1, done.stdout + done.stderr
    counts = done.stdout.splitlines()[-1]
    assert all(int(n) > 0 for n in re.findall(r"\d+", counts)), done.stdout
