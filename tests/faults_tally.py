"""How many faults and fuzz cases the tests have put the code through."""

from collections import Counter
from contextlib import contextmanager

GROUPS = {"faults": "faults injected", "fuzz": "fuzz cases run"}
tried: Counter[str] = Counter()
survived: Counter[str] = Counter()


@contextmanager
def case(group):
    """Count one fault or one fuzz case; it is survived if nothing is raised."""
    tried[group] += 1
    yield
    survived[group] += 1


def as_dicts():
    """All counts, in types that can be sent to another process."""
    return {"tried": dict(tried), "survived": dict(survived)}


def add(other):
    """Add the counts of another process."""
    tried.update(other["tried"])
    survived.update(other["survived"])
