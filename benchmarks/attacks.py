"""What hostile model files cost, for docs/measured/reliability.md.

``python benchmarks/attacks.py`` opens each kind of file of tests/hostile.py at sizes
from 10 kB to 4 MB, every one in a process of its own, and prints a table: the most
memory beyond what the process had before, the processor's time, how time grows with
the file (exponent of a line through the logarithms of the larger sizes), and the
answer. It fails where memory is over 4 x the file + 64 MB.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parent.parent / "tests"
SIZES = (10_000, 40_000, 200_000, 1_000_000, 4_000_000)

CHILD = """
import json, sys, tempfile, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import hostile, torch
from skad import LinearAutoencoder, MLPAutoencoder, load, save

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

path = Path(tempfile.mkdtemp()) / "a.skad"
load(save([LinearAutoencoder(), MLPAutoencoder()], path))
try:
    load(save([hostile.TEXT], path), max_bytes=1)
except ValueError:
    pass
path.write_bytes(hostile.KINDS[sys.argv[2]](int(sys.argv[3])))
size = path.stat().st_size
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
before, start = memory("VmRSS"), time.process_time()
try:
    load(path)
    answer = "opened"
except ValueError as error:
    answer = f"{error}".partition(" cannot be opened: ")[2].partition(":")[0][:60]
seconds = time.process_time() - start
print(json.dumps([size, memory("VmHWM") - before, seconds, answer]))
path.unlink()
"""


def measured(kind, n_bytes):
    """Size, bytes of memory, seconds and answer for one file."""
    arguments = [sys.executable, "-c", CHILD, str(TESTS), kind, str(n_bytes)]
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    if run.returncode:
        return n_bytes, float("nan"), float("nan"), f"CRASH {run.stderr[-200:]}"
    return json.loads(run.stdout)


def exponent(sizes, seconds):
    """Slope of a line through the logarithms of what takes over 20 ms; "-" if short."""
    points = [(n, s) for n, s in zip(sizes, seconds, strict=True) if s > 0.02]
    if len(points) < 2:
        return "-"
    return f"{np.polyfit(*np.log(points).T, 1)[0]:.2f}"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", help="kinds, by default all")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    options = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    import hostile

    over = []
    print("| kind | bytes | memory, MB | seconds | exponent | answer |")
    print("|---|---|---|---|---|---|")
    for kind in options.only or hostile.KINDS:
        rows = [measured(kind, n) for n in options.sizes]
        sizes, memory, seconds, answers = map(list, zip(*rows, strict=True))
        over += [
            f"{kind} at {size} bytes: {peak / 2**20:.0f} MB"
            for size, peak in zip(sizes, memory, strict=True)
            if not peak <= 4 * size + 64 * 2**20
        ]
        slope = exponent(sizes, seconds)
        print(
            f"| {kind} | {sizes[-1]:,} | {memory[-1] / 2**20:.0f} | {seconds[-1]:.2f} "
            f"| {slope} | {answers[-1]} |",
            flush=True,
        )
    sys.exit("\n".join(["", "Over 4 x the file + 64 MB:", *over]) if over else 0)


if __name__ == "__main__":
    main()
