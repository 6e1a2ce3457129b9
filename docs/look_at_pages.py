"""Open every built page in a browser, light and dark, wide and narrow; say what fails.

It looks for pages that are wider than the window, errors on the console, requests to
other places, links that lead nowhere, texts of too little contrast (WCAG AA) or below
10 pixels, images that are missing or have no text, a search that does not find a word,
and buttons that do not copy. It prints counts, and exits with 1 if it found anything.

Run: python docs/look_at_pages.py [FOLDER] [--only PART] [--screenshots FOLDER]
"""

import argparse
import functools
import shutil
import sys
import threading
from collections import defaultdict
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import TimeoutError, sync_playwright

DOCS = Path(__file__).parent
BROWSERS = "chromium", "chromium-browser", "google-chrome"
ARGUMENTS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves
]
SCHEMES = "light", "dark"
WIDTHS = {1280: 900, 390: 844}
WORD = "calibration"  # which the search must find
KINDS = (
    *("overflow", "console", "request", "link", "contrast", "small", "image"),
    *("search", "copy"),
)


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and keeps quiet."""

    def log_message(self, *args):
        """Say nothing."""


class Findings:
    """What is wrong, and where: one entry for what recurs on many pages."""

    def __init__(self):
        self.places = defaultdict(list)

    def add(self, kind, what, where):
        """Note one."""
        self.places[kind, what].append(where)

    def __str__(self):
        lines = [
            f"  {kind}: {what} ({len(places)} x, first on {places[0]})"
            for (kind, what), places in sorted(self.places.items())
        ]
        counts = dict.fromkeys(KINDS, 0)
        for kind, _ in self.places:
            counts[kind] += 1
        lines.append(", ".join(f"{kind} {n}" for kind, n in counts.items()))
        return "\n".join(lines)


class Visit:
    """A browser's page, which goes from one built page to the next."""

    def __init__(self, browser, root, address, findings):
        self.root, self.address, self.findings = root, address, findings
        context = browser.new_context()
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = context.new_page()
        self.page.on("request", self._ask)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda e: self._note("console", str(e)))
        self.page.on(
            "response",
            lambda r: r.status >= 400 and self._note("request", f"{r.status} {r.url}"),
        )
        self.place = ""
        self.n_copied = self.n_links = 0

    def _note(self, kind, what):
        self.findings.add(kind, what, self.place)

    def _ask(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self._note("request", f"to the outside: {request.url}")

    def _hear(self, message):
        if message.type == "error":
            self._note("console", message.text)

    def open(self, name):
        """Open a page by its name within the folder."""
        self.place = name
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.page.goto(f"{self.address}/{name}", wait_until="load")

    def look(self, scheme, width):
        """Look at the open page in one scheme and width."""
        self.place = f"{self.place.split(' ')[0]} {scheme} {width}"
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        self.page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        self.page.wait_for_function(
            "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
        )
        # Lazy images load when they come into view.
        script = (DOCS / "look_at_pages.js").read_text()
        for kind, what in self.page.evaluate(script):
            self._note(kind, what)

    def follow_links(self, name):
        """Whether files and places that the open page links to are there."""
        links = "[...document.links].map(a => a.getAttribute('href'))"
        for link in set(self.page.evaluate(links)):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("#"):
                continue
            self.n_links += 1
            target = (self.root / name).parent / unquote(parts.path)
            target = target / "index.html" if target.is_dir() else target
            if not _has_place(target, unquote(parts.fragment)):
                self._note("link", link)

    def copy(self):
        """Press the buttons that copy, as a reader does, and read what they copied."""
        for button in self.page.locator("div.highlight button.copybtn").all():
            code = button.locator("xpath=preceding-sibling::pre").text_content()
            self.page.evaluate("navigator.clipboard.writeText('')")
            try:
                button.click(timeout=5_000)
            except TimeoutError as error:  # something lies over it
                self._note("copy", str(error).splitlines()[0])
            copied = self.page.evaluate("navigator.clipboard.readText()")
            self.n_copied += 1
            if not copied.strip() or not _is_code_of(copied, code):
                self._note("copy", f"{copied[:40]!r} of {code[:40]!r}")

    def search(self):
        """Search for a word as a reader does, and count what is found."""
        self.open(f"search.html?q={WORD}")
        results = self.page.locator("#search-results ul.search li")
        try:
            results.first.wait_for(timeout=10_000)
        except TimeoutError as error:
            self._note("search", f"{WORD}: {error}")
        self.page.wait_for_load_state("networkidle")
        return results.count()


@functools.cache
def _text(path):
    return path.read_text() if path.is_file() else None


def _has_place(path, fragment):
    """Whether a file is there, and the place in it that a link names."""
    text = _text(path) if path.suffix == ".html" else ""
    if not fragment:
        return path.is_file()
    return text is not None and f'id="{fragment}"' in text


def _is_code_of(copied, code):
    """Whether lines that were copied stand in the code, which may have prompts."""
    return all(line.strip() in code for line in copied.splitlines())


def find_browser():
    """Return the browser of this machine; none is fetched."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    sys.exit(f"There is none of {', '.join(BROWSERS)}; install one.")


def look(root, only, screenshots):
    """Look at all pages, print what was found, and return how much."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=root)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    findings = Findings()
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*.html"))
    names = [name for name in names if only in name and not name.startswith("_")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=ARGUMENTS
        )
        address = f"http://127.0.0.1:{server.server_port}"
        visit = Visit(browser, root, address, findings)
        for name in names:
            visit.open(name)
            visit.follow_links(name)
            for width in WIDTHS:
                for scheme in SCHEMES:
                    visit.look(scheme, width)
                    if screenshots:
                        file = f"{name.replace('/', '-')}-{scheme}-{width}.png"
                        visit.page.screenshot(path=screenshots / file, full_page=True)
            visit.copy()  # scrolls
        n_found = visit.search()
        browser.close()
    server.shutdown()
    print(
        f"{len(names)} pages, {len(names) * len(SCHEMES) * len(WIDTHS)} views, "
        f"{visit.n_links} links, {visit.n_copied} copies; "
        f"{n_found} pages found for {WORD!r}"
    )
    print(findings)
    return len(findings.places)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=DOCS / "_build")
    parser.add_argument("--only", default="", help="part of the names of pages")
    parser.add_argument("--screenshots", type=Path, help="folder for pictures")
    args = parser.parse_args()
    if args.screenshots:
        args.screenshots.mkdir(parents=True, exist_ok=True)
    sys.exit(look(args.folder.resolve(), args.only, args.screenshots) > 0)


if __name__ == "__main__":
    main()
