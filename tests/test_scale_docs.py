"""The code of docs/guide/scale.md runs as it stands there."""

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "guide" / "scale.md").read_text()
NEEDS = {"Dask": "distributed", "Ray": "ray", "Spark": "pyspark"}

pytestmark = pytest.mark.filterwarnings("ignore")


def test_code__runs(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}  # of functions that are sent to workers
    skipped = set()
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        needed = NEEDS.get(section.split("\n", 1)[0].split()[-1])
        try:
            __import__(needed or "skad")
        except ImportError:
            skipped.add(needed)
            continue
        for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
            exec(block, names)
    assert skipped <= {*NEEDS.values()}
