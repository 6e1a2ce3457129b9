"""Fuzz model files by their structure, under limits of memory and time.

``python tests/fuzz_files.py FOLDER N_CASES SEED``: takes the files of FOLDER, changes
their headers field by field, gives each a right checksum, and lets `load` and `audit`
answer. Any answer but an estimator or a ValueError, the same of both, ends it.
"""

import contextlib
import copy
import json
import random
import resource
import sys
import warnings
from pathlib import Path

import hostile

import skad
from skad.persistence import _files

MEMORY = 256 * 2**20
SECONDS = 300  # for all cases
LITERALS = [
    *(None, True, 0, -1, 1e300, 2**63, -(10**300), 10**18, "", "memory", "x" * 9999),
    *([], [[]], {}, [0] * 999, {"float": "nan"}, {"same": 0}, {"array": 0}),
    *({"tuple": []}, {"dict": []}, {"set": [1]}, {"scalar": 0}, {"name": "numpy.exp"}),
    *({"object": ["skad.SigmaThreshold", []]}, {"device": "cuda:99"}),
    *({"dict": [["memory", "/tmp"]]}, {"objects": [[10**9], []]}, {"masked": []}),
    *({"timestamp": [2**63, "ns", None]}, {"timedelta": [1, "s"]}, {"slice": [1]}),
    *({"range": [0, 9, 1]}, {"bunch": []}, {"duration": 1}, {"range": [0, 1, 0]}),
    {"distribution": ["scipy.stats.norm", {"tuple": []}, {"dict": []}]},
    *("skad.load", "<U999999999", "<f8", "|O", "C", [10**18, 10**18], [-1], [0]),
]


def places(node, path=()):
    """Yield the way to each part of a header."""
    yield path
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    for key, item in inside:
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))
        else:
            yield (*path, key)


def at(node, path):
    """The part of a header at the end of a way."""
    for key in path:
        node = node[key]
    return node


def changed(header, others, rng):
    """Change one to four parts of a header, and return it."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        *way, key = rng.choice([p for p in places(header) if p])
        holder = at(header, way)
        kind = rng.choice(["literal", "literal", "other", "own", "drop", "double"])
        if kind == "literal":
            holder[key] = copy.deepcopy(rng.choice(LITERALS))
        elif kind in ("other", "own"):
            source = header if kind == "own" else rng.choice(others)
            holder[key] = copy.deepcopy(at(source, rng.choice(list(places(source)))))
        elif isinstance(holder, dict):
            holder[f"{key}x" if kind == "double" else "x"] = holder.pop(key)
        elif kind == "drop":
            del holder[key]
        else:
            holder.insert(key, holder[key])
    return header


def answer(function, path):
    """None if a file opens, else what the ValueError says."""
    try:
        function(path)
    except ValueError as error:
        return f"{error}"


def main(folder, n_cases, seed):
    """Print how many files were opened, and how many were refused."""
    warnings.simplefilter("ignore")
    rng = random.Random(seed)
    sources = []
    for path in sorted(Path(folder).glob("*.skad")):
        skad.load(path)  # imports what it needs: only then memory is limited
        header, data = _files.read_file(path)
        sources.append((json.loads(header), bytes(data)))
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    counts = {"opened": 0, "refused": 0}
    trial = Path(folder) / "trial"
    for number in range(n_cases):
        header, data = rng.choice(sources)
        made = changed(copy.deepcopy(header), [h for h, _ in sources], rng)
        trial.write_bytes(hostile.framed(json.dumps(made).encode(), data))
        answers = [answer(function, trial) for function in (skad.load, skad.audit)]
        if answers[0] != answers[1]:
            sys.exit(f"case {number} of seed {seed}: load, audit said {answers}")
        counts["opened" if answers[0] is None else "refused"] += 1
    with contextlib.suppress(FileNotFoundError):
        trial.unlink()
    print(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
