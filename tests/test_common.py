"""scikit-learn's checks, and skad's own, over every public estimator."""

import numpy as np
import pytest
from instances import ESTIMATORS
from sklearn.utils.estimator_checks import parametrize_with_checks


@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@pytest.mark.filterwarnings("ignore:(?s).*threshold of the inner:UserWarning")
@parametrize_with_checks(list(ESTIMATORS.values()))
def test_sklearn_checks(estimator, check):
    state = np.random.get_state()  # noqa: NPY002, some checks of scikit-learn move it
    check(estimator)
    np.random.set_state(state)  # noqa: NPY002
