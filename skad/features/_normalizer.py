"""Windows without their level and size: what is left is their shape."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OneToOneFeatureMixin

from skad._docs import add_parameters
from skad._fitting import after_fit
from skad._validation import Interval, check_is_fitted, check_windows, is_3d
from skad.features._base import WINDOWS, WindowTransformer


class WindowNormalizer(OneToOneFeatureMixin, WindowTransformer):
    """Take mean and scale out of each window, channel by channel.

    Two windows of the same shape become nearly the same, whatever their level and size,
    so that a detector behind it judges shapes alone.

    Parameters
    ----------
    floor : float, default=0.5
        Standard deviation, in the unit of the input, far below which a channel counts
        as still: what moves less than this is left small instead of being blown up to
        the size of the rest. The default is for channels that have been standardised.
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
    RandomConvolutions : Features that tell windows apart by their shape and size.

    Notes
    -----
    A channel w of a window becomes (w - mean(w)) / sqrt(var(w) + floor**2), variances
    being divided by the number of timesteps. With a small `floor` it is the z-normal
    form of the matrix profile [1]_, which knows no floor and so makes much of the noise
    of a flat stretch.

    It learns nothing but the shape of a window. Level and size are lost: where they are
    what goes wrong, use a second detector that sees them. Windows of one timestep
    become zeros.

    References
    ----------
    .. [1] C.-C. M. Yeh et al., "Matrix profile I: All pairs similarity joins for time
       series", ICDM 2016, section II, doi:10.1109/ICDM.2016.0179.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import WindowNormalizer
    >>> windows = np.array([[0.0, 10.0, 20.0], [5.0, 5.25, 5.5]])
    >>> WindowNormalizer().fit_transform(windows).round(1)
    array([[-1.2,  0. ,  1.2],
           [-0.5,  0. ,  0.5]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "floor": [Interval(Real, 0, None, closed="neither")],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, floor=0.5, *, n_channels=1):
        self.floor = floor
        self.n_channels = n_channels

    @after_fit
    @add_parameters(WINDOWS)
    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Normalise windows.

        Returns
        -------
        X_normalized : ndarray of the shape of `X`
            Windows, without unit; float32 if `X` is, else float64. A row does not
            depend on the rows beside it.
        """
        check_is_fitted(self)
        windows = check_windows(self, X, reset=False)
        is_single = windows.dtype.newbyteorder("=") == np.float32
        out = np.empty(windows.shape, np.float32 if is_single else np.float64)
        for at, deviations, _, spreads in self._moments(windows):
            normalized = deviations / np.hypot(spreads, self.floor)
            out[at] = normalized.reshape(len(normalized), -1)
        if is_3d(X):
            return out.reshape(len(out), self.window_length_, self.n_channels_)
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
