"""Random convolutions: what textures a window has, and where."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
)
from sklearn.utils import gen_batches

from skad._docs import add_parameters
from skad._fitting import after_fit, fit_method
from skad._products import multiply_rows
from skad._sampling import evenly_spaced
from skad._validation import (
    Interval,
    StrOptions,
    check_is_fitted,
    check_random_state,
    check_windows,
)
from skad.features._base import WINDOWS, WindowTransformer
from skad.features._components import principal_components

_DILATIONS = (1, 2, 4, 8, 16)
# Channels that a kernel sees, at most.
_MOST_CHANNELS = 4
# Principal components that a share of variance takes, at most.
_MOST_COMPONENTS = 256
# Windows, evenly spaced, from which sizes and components are learnt.
_MOST_WINDOWS = 1500
# Windows that are transformed at once, always as many, the last ones zeros: how a
# product of matrices is rounded depends on its shape.
_BLOCK = 64
# Values (32 MB) in the largest array of a block.
_VALUES_AT_ONCE = 2**22


class RandomConvolutions(ClassNamePrefixFeaturesOutMixin, WindowTransformer):
    """Features of windows: how strongly random kernels respond in each part of them.

    In these features a detector of windows finds beats that look odd much better than
    in raw windows: they forgive small shifts, and they tell textures apart.

    Parameters
    ----------
    n_kernels : int, default=250
        Number of random kernels, shared out evenly to the dilations.
    kernel_length : int, default=9
        Taps of a kernel.
    n_segments : "auto" or int, default="auto"
        Equal parts of a window, over each of which a response is averaged. "auto": a
        fifth of the window length, but at least 4 and at most 24.
    n_components : float, int or None, default=0.995
        Principal components to keep, each scaled to unit variance. A float in (0, 1):
        as many as explain this share of the variance, 256 at most. An int: as many, or
        all that there are. None: the responses themselves, ``n_kernels * n_segments_``
        of them.
    n_channels : int, default=1
        Channels of a 2-D row, see `fit`. `WindowedDetector` sets it.
    random_state : int, RandomState instance or None, default=None
        Draws the kernels. An int repeats them; None takes a fresh seed.

    Attributes
    ----------
    kernels_ : ndarray of shape (n_kernels, kernel_length, n_channels_)
        Kernels, zero in the channels that they do not see.
    dilations_ : ndarray of shape (n_kernels,)
        Timesteps between two taps of each kernel.
    sizes_ : ndarray of shape (n_kernels,)
        Root mean square of the responses of each kernel in training; 1.0 where there
        were none.
    n_segments_ : int
        Parts of a window.
    mean_ : ndarray of shape (n_kernels * n_segments_,)
        Mean of the responses in training; None with ``n_components=None``.
    components_ : ndarray of shape (n_components, n_kernels * n_segments_)
        Principal components, by decreasing variance; None likewise.
    explained_variance_ : ndarray of shape (n_components,)
        Variance of the responses along each of them; None likewise.
    window_length_, n_channels_ : int
        Timesteps and channels.
    n_features_in_ : int
        Values of a row, ``window_length_ * n_channels_``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where `X` has them.

    See Also
    --------
    LocallyLinearAutoencoder : The detector that has scored best behind it.
    WindowNormalizer : Takes out level and size, and keeps the window.

    Notes
    -----
    A kernel has weights from N(0, 1), of mean zero in each channel and of unit norm. It
    sees one channel, or 1 to 4 random ones. Its dilation is 1, 2, 4, 8 or 16; one
    at which it would be longer than the window is left out, but for 1. The window is
    padded with zeros, so that a response has its length. With responses a, divided by
    their root mean square in training, the features are the square roots of the means
    of abs(a) over the parts of the window, divided by the root of their number.
    Whitened by PCA, all directions count alike.

    Sizes and components are learnt from at most 1500 windows, evenly spaced. Fit takes
    ``1500 * n_kernels * n_segments_`` floats of memory; the rest is bounded.

    Kernels of random weights are those of ROCKET [1]_, which takes the share of
    positive responses and their maximum over the whole window for its features: too
    little to judge windows by when only normal ones are known.

    Scale channels first, for kernels that see several.

    References
    ----------
    .. [1] A. Dempster, F. Petitjean and G. I. Webb, "ROCKET: Exceptionally fast and
       accurate time series classification using random convolutional kernels", Data
       Mining and Knowledge Discovery 34, 2020, doi:10.1007/s10618-020-00701-z.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skad import LocallyLinearAutoencoder, RandomConvolutions, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = make_pipeline(
    ...     RandomConvolutions(100, random_state=0), LocallyLinearAutoencoder()
    ... )
    >>> scores = detector.fit(X[y == 0]).score_samples(X)
    >>> bool(scores[y == 0].mean() > scores[y != 0].mean())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_kernels": [Interval(Integral, 1, None, closed="left")],
        "kernel_length": [Interval(Integral, 2, None, closed="left")],
        "n_segments": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            None,
        ],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_kernels=250,
        *,
        kernel_length=9,
        n_segments="auto",
        n_components=0.995,
        n_channels=1,
        random_state=None,
    ):
        self.n_kernels = n_kernels
        self.kernel_length = kernel_length
        self.n_segments = n_segments
        self.n_components = n_components
        self.n_channels = n_channels
        self.random_state = random_state

    @fit_method
    @add_parameters(WINDOWS)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Draw kernels, and learn the size of their responses.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If values are missing, infinite or not numbers, if shapes do not fit, or if
            a window has fewer timesteps than `n_segments`.
        """
        X = check_windows(self, X, reset=True)
        self.n_segments_ = self._count_segments()
        self._draw_kernels(check_random_state(self.random_state))
        sample = evenly_spaced(len(X), _MOST_WINDOWS)
        strengths = self._learn_sizes(X, sample)
        found: Any = None, None, None
        if self.n_components is not None:
            found = principal_components(strengths, self.n_components, _MOST_COMPONENTS)
        self.mean_, self.components_, self.explained_variance_ = found
        return self

    def _count_segments(self):
        length, n = self.window_length_, self.n_segments
        if n == "auto":
            return min(length, max(4, min(24, length // 5)))
        if n > length:
            raise ValueError(
                f"n_segments={n} parts need windows of as many timesteps; those of X "
                f"have {length}. Use n_segments <= {length}, or 'auto'."
            )
        return n

    def _draw_kernels(self, rng):
        n_channels, span = self.n_channels_, self.kernel_length - 1
        fits = [d == 1 or span * d < self.window_length_ for d in _DILATIONS]
        dilations = np.array(_DILATIONS)[fits]
        # as even as can be, in ascending order
        at = np.arange(self.n_kernels) * len(dilations) // self.n_kernels
        self.dilations_ = dilations[at]
        self.kernels_ = np.zeros((self.n_kernels, self.kernel_length, n_channels))
        for kernel in self.kernels_:
            n_seen = rng.randint(1, min(_MOST_CHANNELS, n_channels) + 1)
            seen = rng.permutation(n_channels)[:n_seen]
            weights = rng.standard_normal((self.kernel_length, n_seen))
            weights -= weights.mean(axis=0)
            kernel[:, seen] = weights / np.linalg.norm(weights)

    @after_fit
    @add_parameters(WINDOWS)
    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the features of windows.

        Returns
        -------
        features : ndarray of shape (n_windows, n_features_out), dtype float64
            Principal components of the responses, of unit variance in training; or,
            with ``n_components=None``, the responses, all parts of a window for the
            first kernel, then for the second. A row does not depend on the rows beside
            it.
        """
        check_is_fitted(self)
        X = check_windows(self, X, reset=False)
        return self._compute(X, np.arange(len(X)))

    @property
    def _n_features_out(self):
        if self.components_ is None:
            return len(self.kernels_) * self.n_segments_
        return len(self.components_)

    # Blocks ---------------------------------------------------------------------------

    def _compute(self, X, rows) -> NDArray[np.float64]:
        """Features of some rows of X, whitened once there are components."""
        features = np.empty((len(rows), self._n_features_out))
        for at, block in self._blocks(X, rows):
            found = self._strengths(block)
            if self.components_ is not None:
                found = self._whiten(found)
            features[at] = found[: at.stop - at.start]
        return features

    def _whiten(self, strengths) -> NDArray[np.float64]:
        codes = multiply_rows(strengths - self.mean_, self.components_.T)
        variances = self.explained_variance_
        return codes / np.sqrt(np.where(variances > 0, variances, 1.0))

    def _blocks(self, X, rows) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield some rows of X in blocks of one size, (n, window_length, n_channels).

        The slice tells which of the rows they are; the last block ends in zeros.
        """
        length, n_channels = self.window_length_, self.n_channels_
        n_kernels = int(np.bincount(self.dilations_).max())
        widest = length * max(n_kernels, self.kernels_.shape[1] * n_channels)
        n = max(1, min(_BLOCK, _VALUES_AT_ONCE // widest))
        for at in gen_batches(len(rows), n):
            block = np.zeros((n, X.shape[1]))
            block[: at.stop - at.start] = X[rows[at]]
            yield at, block.reshape(n, length, n_channels)

    def _responses(self, block) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield kernels of one dilation, and their responses.

        (n, window_length, n_channels) -> (window_length, n, n_kernels).
        """
        n, length, _ = block.shape
        for dilation in np.unique(self.dilations_):
            first, stop = np.searchsorted(self.dilations_, [dilation, dilation + 1])
            kernels = self.kernels_[first:stop].reshape(stop - first, -1)
            seen = _unfold(block, self.kernels_.shape[1], dilation)
            responses = multiply_rows(seen, kernels.T)
            yield slice(first, stop), responses.reshape(length, n, -1)

    def _learn_sizes(self, X, rows) -> NDArray[np.float64]:
        """Learn sizes of responses, 1.0 for 0.0; return strengths of the same rows."""
        squares = np.zeros(len(self.kernels_))
        strengths = np.empty((len(rows), len(squares), self.n_segments_))
        for at, block in self._blocks(X, rows):  # zeros at the end add nothing
            strengths[at] = self._averages(block, squares)[: at.stop - at.start]
        sizes = np.sqrt(squares / (len(rows) * self.window_length_))
        self.sizes_ = np.where(sizes > 0, sizes, 1.0)
        return self._scale(strengths)

    def _strengths(self, block) -> NDArray[np.float64]:
        """Roots of mean absolute responses, (n, n_kernels * n_segments_)."""
        return self._scale(self._averages(block))

    def _averages(self, block, squares=None) -> NDArray[np.float64]:
        """Mean absolute responses; adds up squares of the responses of each kernel.

        (n, window_length, n_channels) -> (n, n_kernels, n_segments_).
        """
        averages = np.empty((len(block), len(self.kernels_), self.n_segments_))
        for kernels, responses in self._responses(block):
            if squares is not None:
                squares[kernels] += np.square(responses).sum(axis=(0, 1))
            np.abs(responses, out=responses)
            averages[:, kernels] = _average_parts(responses, self.n_segments_)
        return averages

    def _scale(self, averages) -> NDArray[np.float64]:
        """Take roots of averages in units of the sizes, in place."""
        averages /= self.sizes_[:, None] * np.sqrt(self.n_segments_)
        return np.sqrt(averages, out=averages).reshape(len(averages), -1)


def _unfold(block, n_taps, dilation) -> NDArray[np.float64]:
    """Gather what the taps of a kernel see at each timestep, zeros beyond the window.

    (n, window_length, n_channels) -> (window_length * n, n_taps * n_channels).
    """
    n, length, n_channels = block.shape
    span = (n_taps - 1) * dilation
    by_time = block.transpose(1, 0, 2)
    padded = np.pad(by_time, [(span // 2, span - span // 2), (0, 0), (0, 0)])
    seen = np.empty((length, n, n_taps, n_channels))
    for tap in range(n_taps):
        seen[:, :, tap] = padded[tap * dilation : tap * dilation + length]
    return seen.reshape(length * n, n_taps * n_channels)


def _average_parts(values, n_parts) -> NDArray[np.float64]:
    """Average over equal parts of time, (length, n, m) -> (n, m, n_parts)."""
    edges = np.arange(n_parts + 1) * len(values) // n_parts
    means = [values[first:stop].mean(axis=0) for first, stop in pairwise(edges)]
    return np.stack(means, axis=-1)
