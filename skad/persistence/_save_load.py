"""The two functions that users call: `save` and `load`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator

from skad._base import current_versions, warn_of_other_versions
from skad.persistence._build import Builder
from skad.persistence._encode import Encoder
from skad.persistence._files import check_target, pack, read_file, write_atomically
from skad.persistence._header import Budget, parse, view_arrays
from skad.persistence._names import NET, UNCHECKED, Names, OwnNames
from skad.persistence._plans import DistributionPlan, Plan, plans_in
from skad.persistence._read import Reader, used_names


def save(estimator: Any, path: str | PathLike[str]) -> Path:
    """Save an estimator to a file that can be opened without running code.

    Parameters
    ----------
    estimator : object
        Estimator, fitted or not: a detector, an imputer, a threshold, an error model, a
        pipeline or a search of them. Its steps may be from skad, from scikit-learn, or
        your own if they keep what they have learnt in attributes. A list or dict of
        estimators works, too.
    path : str or Path
        File to write, usually with the extension ".skad". An existing file is replaced
        only when the new one is complete.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    ValueError
        If something in the estimator cannot be saved: a lambda, a class that is not
        defined at the top level of a module, a compiled search tree. No file is
        written.
    OSError
        If the file cannot be written. An existing file stays as it was.

    See Also
    --------
    load : Opens the file.

    Notes
    -----
    Equal estimators give equal files, byte for byte. scikit-learn's callbacks (see
    `set_callbacks`) and the `memory` of a pipeline are not saved: they belong to one
    run or one machine.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad import LinearAutoencoder, load, make_heartbeats, save
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = LinearAutoencoder(normal_label=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load(save(detector, Path(folder) / "beats.skad"))
    >>> bool((again.score_samples(X) == detector.score_samples(X)).all())
    True
    """
    path = Path(path)
    check_target(path)
    encoder = Encoder()
    try:
        encoded = encoder.encode(estimator)
        header = {
            "versions": current_versions(),
            "arrays": encoder.arrays,
            "estimator": encoded,
        }
        parts = pack(header, encoder.buffers)
        _check_opens(bytes(parts[2]), encoder.views())
    except RecursionError as error:
        raise ValueError(
            f"This {type(estimator).__name__} cannot be saved: a list, tuple or dict "
            "in it holds itself, or it is too deeply nested."
        ) from error
    write_atomically(path, parts)
    return path


def _check_opens(text, arrays):
    """Refuse to write what `load` would refuse to read."""
    try:
        budget = Budget(len(text) + sum(array.nbytes for array in arrays))
        *_, encoded = _parts_of(parse(text, budget))
        Reader(arrays, OwnNames(), budget).read(encoded)
    except Exception as error:
        raise ValueError(f"It cannot be saved: {_sentence(error)}") from error


def load(
    path: str | PathLike[str],
    *,
    trusted: Iterable[str | Callable[..., Any]] = (),
    max_bytes: int | None = None,
) -> Any:
    """Load an estimator from a file of `save`, without running code from the file.

    Parameters
    ----------
    path : str or Path
        File to read.
    trusted : list of str, class or function, default=()
        What the file may hold besides estimators of skad and scikit-learn, such as the
        module of an `Autoencoder`: the classes and functions themselves, or their full
        names ("my_package.MyModule"), which are then imported. The file decides with
        which arguments they are called.
    max_bytes : int or None, default=None
        Refuse a larger file before it is read. None for any size: opening takes up to
        four times the memory of the file, and 64 MB.

    Returns
    -------
    estimator : object
        What was saved. It scores as it did, bit for bit, and can be fitted again. Nets
        that were trained on a device that this machine lacks are put on the CPU.

    Raises
    ------
    ValueError
        If this is not a model file, or one that is cut short, altered, of a newer
        format, larger than `max_bytes`, or with types, parameters or sizes that are
        neither known nor `trusted`. Nothing has been built then.
    OSError
        If the file does not exist or cannot be read.

    Warns
    -----
    UserWarning
        If it was saved with other versions of skad, scikit-learn or (for nets) torch.

    See Also
    --------
    save : Writes the file.
    audit : Lists what is in the file, without building it.

    Notes
    -----
    No file makes `load` run code of its author, but the detector in it can be wrong:
    a checksum detects accidents, not intent. scikit-learn's trees and libsvm read a
    fitted model without checks, and a crafted one could crash Python; files that hold
    one are opened only with ``trusted=["sklearn.tree._tree.Tree"]`` or, for instance,
    ``trusted=["sklearn.svm.OneClassSVM"]``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad import SigmaThreshold, load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(SigmaThreshold(k=4.0), Path(folder) / "rule.skad"))
    SigmaThreshold(k=4.0)
    """
    versions, plan = _open(path, Names(trusted), max_bytes)
    try:
        estimator = Builder().build(plan)
    except Exception as error:
        raise ValueError(f"{path} cannot be opened: {_sentence(error)}") from error
    warn_of_other_versions(versions, f"{path}")
    return estimator


def audit(
    path: str | PathLike[str],
    *,
    trusted: Iterable[str | Callable[..., Any]] = (),
    max_bytes: int | None = None,
) -> pd.DataFrame:
    """List what a model file would build, without building it.

    Parameters
    ----------
    path : str or Path
        File to read.
    trusted : list of str, class or function, default=()
        As in `load`.
    max_bytes : int or None, default=None
        As in `load`.

    Returns
    -------
    contents : DataFrame of shape (n_objects, 3)
        One row for each object, from the outside in. `place`: where it stands, such as
        "steps[1][1].estimator"; "" is the estimator itself. `type`: its class, by the
        name that `trusted` takes. `parameters`: a dict of what it was told, where an
        object shows as the name of its class.

    Raises
    ------
    ValueError
        If `load` would refuse the file, with the same message.
    OSError
        If the file does not exist or cannot be read.

    See Also
    --------
    load : Builds it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skad import LinearAutoencoder, audit, save
    >>> pipeline = make_pipeline(StandardScaler(), LinearAutoencoder(3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     contents = audit(save(pipeline, Path(folder) / "model.skad"))
    >>> print(contents[["place", "type"]].to_string(index=False))
          place                                type
                          sklearn.pipeline.Pipeline
    steps[0][1] sklearn.preprocessing.StandardScaler
    steps[1][1]               skad.LinearAutoencoder
    >>> contents["parameters"][2]["latent_dim"]
    3
    """
    _, plan = _open(path, Names(trusted), max_bytes)
    rows = [(place, p.name, _parameters(p)) for place, p in plans_in(plan)]
    return pd.DataFrame(rows, columns=["place", "type", "parameters"])


def _open(path, names, max_bytes):
    """Read and check a file; returns its versions and the plan of what is in it."""
    header, data = read_file(Path(path), max_bytes)
    try:
        return _read(header, data, names)
    except Exception as error:
        raise ValueError(f"{path} cannot be opened: {_sentence(error)}") from error


def _read(text, data, names):
    budget = Budget(len(text) + len(data))
    versions, described, encoded = _parts_of(parse(text, budget))
    used = used_names(encoded)
    _check_names(used, names)
    arrays = view_arrays(described, data, budget)
    plan = Reader(arrays, names, budget).read(encoded)
    if NET not in used:
        versions.pop("torch", None)
    return versions, plan


def _parts_of(header):
    parts = dict(header) if isinstance(header, tuple) else {}
    if parts.keys() != {"versions", "arrays", "estimator"}:
        raise ValueError(f"its header has the parts {sorted(parts)[:6]}")
    versions = parts["versions"]
    texts = [text for pair in versions for text in pair] if versions else []
    if not isinstance(versions, tuple) or not all(isinstance(t, str) for t in texts):
        raise ValueError("its versions are no texts")
    return dict(versions), parts["arrays"], parts["estimator"]


def _check_names(used, known):
    """Refuse a file with a name that is not allowed, before anything is built."""
    names = sorted(name for name in used if not known.knows(name))
    if not names:
        return
    reason = "a file could make them run code"
    if not UNCHECKED.isdisjoint(names):
        reason += ", or crash Python with fitted arrays that are not valid"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    raise ValueError(
        f"it holds {', '.join(names[:20])}{more}, not known to be harmless here: "
        f"{reason}. Nothing in it has been built. If you trust its author as you would "
        f"the author of a program, allow them: skad.load(..., trusted={names[:20]})"
    )


def _sentence(error):
    return f"{error}".rstrip(".") + "."


def _parameters(plan):
    """Show the parameters of an object: plain values, and names of classes."""
    if not issubclass(plan.cls, BaseEstimator):
        return {}
    accepted = inspect.signature(plan.cls).parameters
    return {
        name: _shown(value) for name, value in plan.state.items() if name in accepted
    }


def _shown(value):
    if isinstance(value, Plan | DistributionPlan):
        return value.name
    if isinstance(value, list | tuple):
        return type(value)(_shown(item) for item in value)
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    return value
