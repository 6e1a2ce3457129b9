"""Put built pages where a version of them belongs, among those of other versions.

Pages of main go to "dev", those of a release to its own folder and to "stable", so that
links to "stable" always show the newest release. switcher.json lists what is there, for
the menu of versions; index.html leads to "stable".

Run: python docs/publish.py docs/_build FOLDER VERSION   (dev, or such as 0.2.0)
"""

import json
import re
import shutil
import sys
from pathlib import Path

SITE = "https://skad-dev.github.io/skad"
RELEASE = r"\d+(\.\d+)+"


def publish(built, folder, version):
    """Copy pages into the folder of their version, and list all versions."""
    if version != "dev" and not re.fullmatch(RELEASE, version):
        raise ValueError(f"version {version!r}; expected 'dev', or such as '0.2.0'.")
    if not (built / "index.html").is_file():
        raise ValueError(f"{built} holds no index.html; build the pages first.")
    replace(folder / version, built)
    newest = next((name for name in releases(folder)), None)
    if version == newest:
        replace(folder / "stable", built)
    (folder / "switcher.json").write_text(json.dumps(versions(folder), indent=2) + "\n")
    home = "stable" if newest else "dev"
    refresh = f'<meta http-equiv="refresh" content="0; url={home}/">'
    (folder / "index.html").write_text(f"<!doctype html>{refresh}<title>skad</title>\n")
    (folder / ".nojekyll").touch()  # or folders such as _static are left out


def replace(target, built):
    """Put pages in the place of others."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(built, target, ignore=shutil.ignore_patterns(".doctrees"))


def releases(folder):
    """List the releases that have pages, the newest first."""
    names = [one.name for one in folder.iterdir() if re.fullmatch(RELEASE, one.name)]
    return sorted(names, key=lambda name: [*map(int, name.split("."))], reverse=True)


def versions(folder):
    """Entries of the menu."""
    entries = []
    for number, name in enumerate(releases(folder)):
        place = "stable" if number == 0 else name
        entry = {"name": name, "version": name, "url": f"{SITE}/{place}/"}
        if number == 0:
            entry |= {"name": f"{name} (stable)", "preferred": True}
        entries.append(entry)
    if (folder / "dev").is_dir():
        entries.append({"name": "dev", "version": "dev", "url": f"{SITE}/dev/"})
    return entries


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
