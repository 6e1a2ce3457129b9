"""Model files that a stranger could write, under right checksums.

`KINDS` makes content that grows with a size in bytes: what it costs to open has to stay
in proportion. benchmarks/attacks.py prints a table of it.
"""

import hashlib
import json

from skad._base import current_versions
from skad.persistence import _files

TRANSFORMER = "sklearn.preprocessing.FunctionTransformer"
PIPELINE = "sklearn.pipeline.Pipeline"


def framed(header, payload=b""):
    """A file of a header in JSON, as bytes, and arrays, with its checksum."""
    length = _files._START + len(header) + len(payload)
    frame = _files._FRAME.pack(_files.MAGIC, _files.FORMAT, length, len(header))
    return frame + hashlib.sha256(frame + header + payload).digest() + header + payload


def header_of(estimator, arrays="[]"):
    """The header around an encoded estimator; both are JSON."""
    versions = json.dumps(current_versions())
    text = f'{{"versions":{versions},"arrays":{arrays},"estimator":{estimator}}}'
    return text.encode()


def repeated(piece, n_bytes):
    """A list of as many pieces as there is room for; "#" stands for its number."""
    n_pieces = max(1, n_bytes // len(piece.replace("#", "12345")))
    numbered = (piece.replace("#", f"{i}") for i in range(n_pieces))
    return f"[{','.join(numbered)}]"


def _plain(piece):
    return lambda n: framed(header_of(repeated(piece, n)))


def _in(before, piece, after):
    return lambda n: framed(header_of(before + repeated(piece, n) + after))


def _with_array(piece, described, payload):
    """Mention one array again and again."""
    return lambda n: framed(header_of(repeated(piece, n), f"[{described}]"), payload)


def _nested(opening, closing):
    return lambda n: framed(
        header_of(opening * (n // len(opening + closing)) + closing * (n // 2))
    )


def _keys(n_bytes, base):
    """A dict of integers, of which all fall into one place of Python's table."""
    pairs = ",".join(f"[{i << base},0]" for i in range(1, max(2, n_bytes // 18)))
    return framed(header_of(f'{{"dict":[{pairs}]}}'))


def _dicts_of_keys(n_bytes):
    """Such dicts that are as large as they may be."""
    pairs = ",".join(f"[{i << 44},0]" for i in range(1, 10_000))
    n_dicts = max(1, n_bytes // len(pairs))
    dicts = ",".join([f'{{"dict":[{pairs}]}}'] * n_dicts)
    return framed(header_of(f"[{dicts}]"))


def _tuples_as_keys(n_bytes):
    """Dicts of pairs that all have one hash: Python's own, turned round."""
    first, second, start, n_bits = *_PRIMES, 64
    inverse, pairs = pow(second, -1, 2**n_bits), []
    for a in range(1, 80_000):
        mixed = (start + a * second) % 2**n_bits
        mixed = ((mixed << 31) | (mixed >> 33)) * first % 2**n_bits
        b = (12_345_678_901_234_567 - mixed) * inverse % 2**n_bits
        if b < 2**61 - 1:
            pairs.append(f'[{{"tuple":[{a},{b}]}},0]')
    one = f'{{"dict":[{",".join(pairs[:9900])}]}}'
    return framed(header_of(f"[{','.join([one] * max(1, n_bytes // len(one)))}]"))


_PRIMES = 11400714785074694791, 14029467366897019727, 2870177450012600261


def _one_in_another(n_bytes):
    """Dicts in dicts: to be checked once, not again by each that is around."""
    inner = repeated("0", n_bytes)
    for _ in range(50):
        inner = f'{{"dict":[["memory",{inner}]]}}'
    return framed(header_of(inner))


def _long_key(n_bytes):
    return framed(
        header_of(
            f'{{"dict":[["{"k" * (n_bytes // 2)}",{repeated("0", n_bytes // 4)}]]}}'
        )
    )


def _doubled(n_bytes):
    """Chains of objects that each hold the one before twice: 2^n if walked along."""
    chain, n_objects = 25, max(1, n_bytes // 2500)
    encoded = []
    for start in range(0, n_objects * (chain + 1), chain + 1):
        inner = f'{{"object":["{TRANSFORMER}",[]]}}'
        for level in range(chain, 0, -1):
            pairs = f'["a",{inner}],["b",{{"same":{start + level}}}]'
            state = f'["kw_args",{{"dict":[{pairs}]}}]'
            inner = f'{{"object":["{TRANSFORMER}",[{state}]]}}'
        encoded.append(inner)
    return framed(header_of(f"[{','.join(encoded)}]"))


TEXT = "x" * 100_000
FIELD = '["#","<f8"]'
KINDS = {
    "empty lists": _plain("[]"),
    "lists of lists": _plain("[[[[]]]]"),
    "empty objects": _plain("{}"),
    "small numbers": _plain("999"),
    "floats": _plain("1e5"),
    "long integers": _plain("9" * 300),
    "one endless integer": lambda n: framed(header_of("9" * n)),
    "short texts": _plain('"ab"'),
    "one long text": lambda n: framed(header_of('"' + "x" * n + '"')),
    "escaped text": lambda n: framed(header_of('"' + "\\u1234" * (n // 6) + '"')),
    "tuples": _plain('{"tuple":[]}'),
    "dicts": _plain('{"dict":[]}'),
    "unknown tags": _plain('{"pickle":"gASV"}'),
    "slices": _plain('{"slice":[1,2,3]}'),
    "one large dict": _in('{"dict":', '["#",0]', "}"),
    "one large set": _in('{"set":', '"#"', "}"),
    "numbers as keys": lambda n: _keys(n, 40),
    "dicts of numbers as keys": _dicts_of_keys,
    "tuples as keys": _tuples_as_keys,
    "memory in memory": _one_in_another,
    "one long key": _long_key,
    "distributions": _plain(
        '{"distribution":["scipy.stats.norm",{"tuple":[]},{"dict":[]}]}'
    ),
    "nested lists": _nested("[", "]"),
    "nested tuples": _nested('{"tuple":[', "]}"),
    "transformers": _plain(f'{{"object":["{TRANSFORMER}",[]]}}'),
    "detectors": _plain('{"object":["skad.MLPAutoencoder",[]]}'),
    "one object with many attributes": _in(
        f'{{"object":["{TRANSFORMER}",', '["a#_",0]', "]}"
    ),
    "unknown names": _plain('{"name":"os.system#"}'),
    "names": _plain('{"name":"numpy.log1p"}'),
    "object arrays": _plain('{"objects":[[1],[null]]}'),
    "random states": _with_array(
        '{"random_state":[["bit_generator","MT19937"],["state",{"dict":[["key",'
        '{"array":0}],["pos",0]]}],["has_gauss",0],["gauss",0.0]]}',
        '["<u4",[624],"C"]',
        bytes(4 * 624),
    ),
    "one text again and again": _with_array(
        '{"scalar":0}', '["<U25000",[],"C"]', bytes(100_000)
    ),
    "one array again and again": _with_array(
        '{"array":0}', '["<f8",[12500],"C"]', bytes(100_000)
    ),
    "one mask again and again": _with_array(
        '{"masked":[{"array":0},{"array":0}]}', '["|b1",[100000],"C"]', bytes(100_000)
    ),
    "one array as workers": _with_array(
        '{"dict":[["n_jobs",{"array":0}]]}', '["<i8",[12500],"C"]', bytes(100_000)
    ),
    "empty arrays": lambda n: framed(header_of("0", repeated('["<f8",[0],"C"]', n))),
    "fields of a dtype": lambda n: framed(
        header_of("0", f'[[{repeated(FIELD, n)},[1],"C"]]')
    ),
    "lengths of a shape": lambda n: framed(
        header_of("0", f'[["<f8",{repeated("1", n)},"C"]]')
    ),
    "text as a length": lambda n: framed(
        header_of("0", '[["<f8",["' + "x" * n + '",2],"C"]]')
    ),
    "times": _plain('{"timestamp":[#,"s","Europe/Berlin"]}'),
    "objects held twice": _doubled,
}
