"""Level and spread of windows: what `WindowNormalizer` takes out of them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import after_fit
from skad._validation import (
    Interval,
    check_is_fitted,
    check_windows,
    feature_names_in,
)
from skad.features._base import WINDOWS, WindowTransformer


class WindowSummary(WindowTransformer):
    """Mean and spread of each window, channel by channel.

    A detector behind it judges where sensors stand and how lively they are, whatever
    they do in detail. It sees windows of two timesteps, the means and the spreads, with
    the channels of the input.

    Parameters
    ----------
    floor : float, default=0.05
        Standard deviation, in the unit of the input, far below which all that is still
        counts alike. The default is for channels that have been standardised.
    n_channels : int, default=1
        Channels of a 2-D row, see `fit`. `WindowedDetector` sets it.

    Attributes
    ----------
    window_length_, n_channels_ : int
        Timesteps and channels.
    n_features_in_ : int
        Values of a row, ``window_length_ * n_channels_``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where `X` has them.

    See Also
    --------
    WindowNormalizer : Leaves what this takes out.

    Notes
    -----
    mean(w) and log(std(w) + floor) of each channel w of a window, with variances
    divided by the number of timesteps. Put a StandardScaler behind it: means and
    logarithms have different units.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import WindowSummary
    >>> windows = np.array([[0.0, 10.0, 20.0], [5.0, 5.1, 5.2]])
    >>> WindowSummary().fit_transform(windows).round(1)
    array([[10. ,  2.1],
           [ 5.1, -2. ]])
    """

    keeps_channels = True  # though not the columns: detectors behind it see them

    _parameter_constraints: ClassVar[dict] = {
        "floor": [Interval(Real, 0, None, closed="neither")],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, floor=0.05, *, n_channels=1):
        self.floor = floor
        self.n_channels = n_channels

    @after_fit
    @add_parameters(WINDOWS)
    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Summarise windows.

        Returns
        -------
        summaries : ndarray of shape (n_windows, 2 * n_channels), dtype float64
            The means of all channels, then the logarithms of their spreads. A row does
            not depend on the rows beside it.
        """
        check_is_fitted(self)
        rows = check_windows(self, X, reset=False)
        summaries = np.empty((len(rows), 2 * self.n_channels_))
        for at, _, means, spreads in self._moments(rows):
            summary = means[:, 0], np.log(spreads[:, 0] + self.floor)
            summaries[at] = np.hstack(summary)
        return summaries

    @after_fit
    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Name what `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Checked against the names of fit, if there are any.

        Returns
        -------
        names : ndarray of shape (2 * n_channels,), dtype object
            "mean0", "mean1", ..., "log_std0", "log_std1", ...
        """
        check_is_fitted(self)
        feature_names_in(self, input_features, generate_names=False)
        channels = range(self.n_channels_)
        names = [f"{what}{c}" for what in ("mean", "log_std") for c in channels]
        return np.array(names, dtype=object)
