"""The two functions that users call: `save` and `load`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from skad._base import current_versions, warn_of_other_versions
from skad.persistence._decode import Decoder, read_arrays, used_names
from skad.persistence._encode import Encoder
from skad.persistence._files import pack, unpack, write_atomically
from skad.persistence._names import NET, OBJECT, UNCHECKED, Names


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
    encoder = Encoder()
    try:
        encoded = encoder.encode(estimator)
    except RecursionError as error:
        raise ValueError(
            f"This {type(estimator).__name__} cannot be saved: a list, tuple or dict "
            "in it holds itself, or it is too deeply nested."
        ) from error
    header = {
        "versions": current_versions(),
        "arrays": encoder.arrays,
        "estimator": encoded,
    }
    path = Path(path)
    write_atomically(path, pack(header, encoder.buffers))
    return path


def load(
    path: str | PathLike[str], *, trusted: Iterable[str | Callable[..., Any]] = ()
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

    Returns
    -------
    estimator : object
        What was saved. It scores as it did, bit for bit, and can be fitted again. Nets
        that were trained on a device that this machine lacks are put on the CPU.

    Raises
    ------
    ValueError
        If this is not a model file, or one that is cut short, altered, of a newer
        format, or with types that are neither known nor `trusted`. Nothing has been
        built then.
    OSError
        If the file does not exist or cannot be read.

    Warns
    -----
    UserWarning
        If it was saved with other versions of skad, scikit-learn or (for nets) torch.

    See Also
    --------
    save : Writes the file.

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
    names = Names(trusted)
    header, view = unpack(Path(path).read_bytes(), f"{path}")
    try:
        versions, encoded = dict(header["versions"]), header["estimator"]
        used = set(used_names(encoded))
        _check_names(used, names, path)
        arrays = read_arrays(header["arrays"], view)
        estimator = Decoder(arrays, names).decode(encoded)
    except Exception as error:
        raise ValueError(f"{path} cannot be opened: {error}") from error
    if (NET, OBJECT) not in used:
        versions.pop("torch", None)
    warn_of_other_versions(versions, f"{path}")
    return estimator


def _check_names(used, names, path):
    """Refuse a file with a name that is not allowed, before anything is built."""
    unknown = sorted({name for name, use in used if not names.allows(name, use)})
    if not unknown:
        return
    reason = "a file could make them run code"
    if not UNCHECKED.isdisjoint(unknown):
        reason += ", or crash Python with fitted arrays that are not valid"
    raise ValueError(
        f"it holds {', '.join(unknown)}, not known to be harmless: {reason}. Nothing "
        "in it has been built. If you trust its author as you would the author of a "
        f"program, allow them: skad.load({str(path)!r}, trusted={unknown})."
    )
