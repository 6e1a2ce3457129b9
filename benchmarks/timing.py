"""How the benchmarks measure: CPU time at one thread, two sides in turn."""

import os
import platform
import resource
import subprocess
import time
from importlib.metadata import version

import torch
from threadpoolctl import threadpool_limits

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def use_one_thread():
    """Run torch, and the linear algebra of numpy and scipy, on one thread."""
    torch.set_num_threads(1)
    threadpool_limits(1)


def cpu_seconds(function):
    """Process CPU time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def alternate(ours, theirs, n_rounds):
    """Time two functions in turn, after a call of each; returns pairs of seconds.

    Both sides of a pair met the same neighbours on the machine, so that their ratio
    varies less than either.
    """
    ours(), theirs()
    return [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(n_rounds)]


def run(command):
    """Run a command on one thread; returns what it printed, and its CPU seconds."""
    before = _children_seconds()
    environment = os.environ | ONE_THREAD
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed, see above.")
    return done.stdout, _children_seconds() - before


def _children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def machine(*packages):
    """Name the processor, and the versions of Python and of packages."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{_processor()}, Python {platform.python_version()}, {versions}"


def _processor():
    """Name the processor as Linux does, elsewhere as Python does."""
    if platform.system() == "Linux":
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
