"""The two functions that users call."""

from pathlib import Path

from skad._base import current_versions, warn_of_other_versions
from skad.persistence._files import pack, unpack, write_atomically
from skad.persistence._names import OBJECT, Names, is_unchecked
from skad.persistence._values import Decoder, Encoder, read_arrays, used_names


def save(estimator, path):
    """Save an estimator to a file that can be opened without running code.

    Parameters
    ----------
    estimator : object
        Estimator, fitted or not: a detector, an imputer, a threshold, an error model, a
        pipeline or a search of them, with steps of skad, of scikit-learn, or of your
        own that keep what they have learnt in attributes; or a list or dict of such.
    path : str or Path
        File to write, by custom with the ending ".skad". A file that is there stays
        whole until the new one is complete.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    ValueError
        If something in the estimator cannot be saved: a lambda, a class that is not at
        the top level of a module, a compiled search tree. No file is written.
    OSError
        If the file cannot be written. One that was there before stays as it was.

    See Also
    --------
    load : Opens the file.

    Notes
    -----
    Equal estimators give equal files, byte for byte. scikit-learn's callbacks (see
    `set_callbacks`) and the `memory` of a pipeline belong to a run, or to a machine,
    and are not saved.

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
            "in it holds itself, or it is nested too deeply."
        ) from error
    header = {
        "versions": current_versions(),
        "arrays": encoder.arrays,
        "estimator": encoded,
    }
    path = Path(path)
    write_atomically(path, pack(header, encoder.buffers))
    return path


def load(path, *, trusted=()):
    """Open a file of `save`; no code in it or named by it runs.

    Parameters
    ----------
    path : str or Path
        File to read.
    trusted : list of str, class or function, default=()
        What the file may hold beyond the estimators of skad and scikit-learn, such as
        the module of an `Autoencoder`: the classes and functions themselves, or their
        names with the module ("my_package.MyModule"), which is then imported. The file
        decides how they are called.

    Returns
    -------
    estimator : object
        What was saved. It scores as it did, bit for bit, and can be fitted again. Nets
        trained on a device that is not there live on the CPU.

    Raises
    ------
    ValueError
        If the file is no model file, is cut, altered, of a newer format, or holds types
        that are neither known nor `trusted`; nothing has been built then.
    OSError
        If there is no such file, or it cannot be read.

    Warns
    -----
    UserWarning
        If the versions of skad, scikit-learn or (for nets) torch are others than when
        it was saved.

    See Also
    --------
    save : Writes the file.

    Notes
    -----
    No file makes `load` run code of its maker, but it can hold a detector that is
    wrong: a checksum tells accidents, not intent. scikit-learn's trees and libsvm read
    a fitted model without checks, and a crafted one could crash Python; files with them
    are opened only with ``trusted=["sklearn.tree._tree.Tree"]`` or, for instance,
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
    if ("skad.ReconstructionNet", OBJECT) not in used:
        versions.pop("torch", None)
    warn_of_other_versions(versions, f"{path}")
    return estimator


def _check_names(used, names, path):
    """Refuse a file with a name that is not allowed, before anything is built."""
    unknown = sorted({name for name, use in used if not names.allows(name, use)})
    if not unknown:
        return
    reason = "a file could have them run code"
    if any(map(is_unchecked, unknown)):
        reason += ", or crash Python by fitted arrays that are not what they should be"
    raise ValueError(
        f"it holds {', '.join(unknown)}, not known to be harmless: {reason}. Nothing "
        "of it has been built. If you trust its maker as you trust the maker of a "
        f"program, allow them: skad.load({str(path)!r}, trusted={unknown})."
    )
