"""The base of all error models."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from skad._fitting import KeepsParams, after_fit, fit_method

Codes = NDArray | None
Errors = NDArray[np.float64]


class BaseErrorModel(KeepsParams, BaseEstimator):
    """Base of error models: any object with its methods is one.

    A subclass writes `contributions`, and `fit` if it learns something. If its errors
    cannot be divided among channels, it writes `timestep_errors` instead.
    """

    # Whether fit also needs the codes of the training windows.
    uses_codes: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict] = {}

    @fit_method
    def fit(
        self, residuals: NDArray, codes: Codes = None, train_codes: Codes = None
    ) -> Self:
        """Learn from the residuals of normal windows.

        Parameters
        ----------
        residuals : ndarray of shape (n_windows, window_length, n_channels)
            ``X - reconstruct(X)`` of the held-out windows or, if there are none, of the
            training windows.
        codes : ndarray of shape (n_windows, latent_dim) or None
            Their latent codes.
        train_codes : ndarray of shape (n_train, latent_dim) or None
            Codes of the training windows, for models with ``uses_codes``; None if
            `codes` are these.

        Returns
        -------
        self : object
            The fitted model.
        """
        return self

    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Divide the error of every timestep among the channels.

        Scores are made of these. `explain` shares them out by another rule, which does
        not blame channels for what the reconstruction made of a fault in others.

        Parameters
        ----------
        residuals : ndarray of shape (n_windows, window_length, n_channels)
            ``X - reconstruct(X)``.
        codes : ndarray of shape (n_windows, latent_dim) or None
            Latent codes of the windows.

        Returns
        -------
        shares : ndarray of shape (n_windows, window_length, n_channels)
            Added up over channels, they give `timestep_errors`.
        """
        # Not abstract: a model that writes timestep_errors need not have any.
        raise NotImplementedError(
            f"{type(self).__name__} does not divide its errors among channels; use an "
            "error model that writes `contributions`, such as StandardizedErrors."
        )

    def _with_codes_of(self, other: Self) -> Self:
        """Return a model with the units of this one, for codes of another's detector.

        Detectors score what they leave out in the units that new windows will have.

        Parameters
        ----------
        other : object
            Model of the same class, fitted with another detector.

        Returns
        -------
        model : object
            This one, unless it has learnt from codes.
        """
        return self

    @after_fit
    def timestep_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Error of every timestep; see `contributions` for the parameters.

        Returns
        -------
        errors : ndarray of shape (n_windows, window_length)
            Higher = more anomalous.
        """
        return self.contributions(residuals, codes).sum(axis=2)

    @after_fit
    def window_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Error of every window, the mean over its timesteps; see `timestep_errors`."""
        return self.timestep_errors(residuals, codes).mean(axis=1)
