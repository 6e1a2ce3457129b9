"""The page of skad.report in a real browser: chromium, driven by playwright."""

import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from skad import (
    LinearAutoencoder,
    MLPAutoencoder,
    WindowedDetector,
    make_heartbeats,
    make_sensors,
    report,
)

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
playwright = pytest.importorskip("playwright.sync_api")

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror='hacked=1'>"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pages: of one series, of several with hostile names, and of beats."""
    folder = tmp_path_factory.mktemp("pages")
    X, y = make_sensors(
        3000, n_faults=6, n_sensors=5, missing_fraction=0, dead_sensors=False,
        random_state=1,
    )  # fmt: skip
    detector = WindowedDetector(LinearAutoencoder(3), 20).fit(X[:1000])
    report(detector, X[1000:], y[1000:], path=folder / "table.html", X_fit=X[:1000])
    table = X.set_axis([f"{HOSTILE}{n}" for n in range(X.shape[1])], axis=1)
    table.index.name = HOSTILE
    names = [f"{HOSTILE} a", f"{HOSTILE} b"]
    plant = pd.concat(dict.fromkeys(names, table), names=[HOSTILE, None])
    detector = WindowedDetector(LinearAutoencoder(3), 20).fit(plant)
    report(detector, plant, np.r_[y, y], path=folder / "hostile.html")
    beats, kinds = make_heartbeats(200, 50, random_state=0)
    net = MLPAutoencoder((16,), 4, max_epochs=3, random_state=0).fit(beats[kinds == 0])
    report(net, beats, kinds > 0, path=folder / "beats.html")
    return folder


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def show(browser, folder):
    """Open a page; what it complains of and asks for is checked at the end."""
    complaints, asked, pages = [], [], []

    def show(name, size=WIDE, scheme="light", **options):
        page = browser.new_page(viewport=size, color_scheme=scheme, **options)
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / f"{name}.html").as_uri())
        page.wait_for_selector("#chart-scores .main-svg")
        return page

    yield show
    for page in pages:
        page.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def span(page):
    return page.evaluate(
        "document.getElementById('chart-scores')._fullLayout.xaxis.range.map("
        "one => typeof one === 'number' ? one : Date.parse(one + 'Z'))"
    )


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["table", "hostile", "beats"])
def test_page__opens_and_fits(show, name, scheme, size):
    page = show(name, size, scheme)
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1] == size["width"]
    assert page.locator("#chart-scores .scatterlayer path.js-line").count() > 1
    assert not page.evaluate("'hacked' in window")
    assert page.locator("img").count() == 0


def test_dragging__zooms_and_a_button_shows_all(show):
    page = show("table")
    whole = span(page)
    box = page.locator("#chart-scores .nsewdrag").last.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=8)
    page.mouse.up()
    page.wait_for_function(
        "width => { const [a, b] = document.getElementById('chart-scores')"
        "._fullLayout.xaxis.range.map(one => Date.parse(one + 'Z'));"
        "return b - a < 0.5 * width }",
        arg=whole[1] - whole[0],
    )
    low, high = span(page)
    share = np.subtract([low, high], whole[0]) / (whole[1] - whole[0])
    assert share == pytest.approx([0.3, 0.5], abs=0.01)
    page.click("#whole")
    assert span(page) == pytest.approx(whole)


def test_show__zooms_to_the_event(show):
    page = show("table")
    whole = span(page)
    button = page.locator("#events .show").nth(1)
    start, end = (
        float(button.get_attribute(f"data-{name}")) for name in ("start", "end")
    )
    button.click()
    low, high = span(page)
    assert whole[0] - (high - low) < low < start < end < high
    assert high - low < 0.6 * (whole[1] - whole[0])


def test_series__can_be_chosen(show):
    page = show("hostile")
    names = page.locator("#series option").all_inner_texts()
    assert len(names) == 2
    assert all(name.startswith("</script>") for name in names)
    page.select_option("#series", "1")
    page.locator("#events .show").first.click()
    chart = page.locator("#events .show").first.get_attribute("data-chart")
    assert page.input_value("#series") == chart


@pytest.mark.parametrize("how", ["click", "keys"])
def test_tables__are_sorted(show, how):
    page = show("table")
    table = page.locator("#events table").first
    head = table.locator("thead th", has_text="Lowest score")
    column = table.locator("thead th").all_inner_texts().index(head.inner_text())

    def keys():
        cells = table.locator(f"tbody tr td:nth-child({column + 1})").all()
        return [float(one.get_attribute("data-key")) for one in cells]

    before = keys()
    for order, expected in (("ascending", sorted(before)), ("descending", None)):
        button = head.locator("button")
        if how == "click":
            button.click()
        else:
            button.focus()
            page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == order
        assert keys() == (expected or sorted(before, reverse=True))
    texts = table.locator("thead th", has_text="Start")
    texts.locator("button").click()
    assert head.get_attribute("aria-sort") is None
    assert keys() == before  # events stand in the order of time


def test_colours__follow_the_screen_and_keep_the_zoom(show):
    page = show("table")
    colour = (
        "getComputedStyle(document.querySelector('#chart-scores .xtick text')).fill"
    )
    light = page.evaluate(colour)
    paper = "getComputedStyle(document.body).backgroundColor"
    white = page.evaluate(paper)
    page.locator("#events .show").first.click()
    zoomed = span(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => {colour} !== '{light}'")
    assert page.evaluate(paper) != white
    assert span(page) == pytest.approx(zoomed)


def test_page__prints(show):
    page = show("table", scheme="dark")
    node = "document.getElementById('chart-scores')"
    seen = f"[{node}._fullLayout.width, {node}._fullLayout.font.color]"
    before = page.evaluate(seen)
    page.evaluate(f"addEventListener('beforeprint', () => window.printed = {seen})")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("window.printed") == [680, "#1d1d1b"]  # light, on paper
    assert page.evaluate(seen) == before
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 720


def test_page__reads_well_without_scripts(browser, folder):
    page = browser.new_page(java_script_enabled=False)
    page.goto((folder / "table.html").as_uri())
    assert page.locator("noscript").is_visible()
    assert page.locator("#events table tbody tr").count() > 1
    assert page.locator("svg polyline").count() > 4
    page.close()


def test_page__is_built_for_all_readers(show):
    page = show("table")
    assert page.get_attribute("html", "lang") == "en"
    assert "anomaly report" in page.title()
    assert page.locator("h1").count() == 1
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map(one => +one.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, svg[role=img], [role=region], .chart,"
        " select')].filter(one => !(one.getAttribute('aria-label') ||"
        " one.textContent.trim() || one.labels?.length)).length"
    )
    assert unnamed == 0
    assert page.locator("section:not(:has(h2))").count() == 0
