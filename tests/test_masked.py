"""The net that tells features of windows: what it tells, and what its error is."""

import naive_nets
import numpy as np
import pytest
import torch

from skad import MaskedFeatureAutoencoder, RandomConvolutions, save, to_onnx
from skad.detectors._windows import all_windows
from skad.error_models._features import FeatureErrors
from skad.training._random import torch_generator

FAST = {"max_steps": 20, "batch_size": 32, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    """100 windows of 12 timesteps and 2 channels, waves of random phase."""
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 6, size=(100, 1, 1)) + np.array([0, 1])
    waves = np.sin(np.arange(12)[:, None] / 2 + phase) * [1, 100]
    return waves + 0.1 * rng.normal(size=(100, 12, 2))


@pytest.fixture(scope="module")
def detector(X):
    return MaskedFeatureAutoencoder(20, 16, n_parts=3, **FAST).fit(X)


def test_scores__are_errors_of_features(detector, X):
    flat = X.reshape(len(X), -1)
    raw = torch.tensor((flat - detector.mean_) / detector.scale_)
    module = detector.net_.module_
    _, told = naive_nets.tell_features(module, raw, torch.ones_like(raw))
    left = detector.convolutions_.transform(X) - told.detach().numpy()
    np.testing.assert_allclose(detector.transform(X), left, atol=1e-5)
    np.testing.assert_allclose(
        -detector.score_samples(X), np.sqrt(np.mean(left**2, axis=1)), rtol=1e-4
    )


def test_reconstruction__tells_each_part_from_the_others(detector, X):
    flat = X.reshape(len(X), -1)
    raw = torch.tensor((flat - detector.mean_) / detector.scale_)
    expected = np.empty_like(flat)
    for part in range(3):
        mask = torch.ones(12, 2, dtype=torch.float64)
        mask[4 * part : 4 * part + 4] = 0
        mask = mask.flatten().expand_as(raw)
        told, _ = naive_nets.tell_features(detector.net_.module_, raw, mask)
        at = slice(8 * part, 8 * part + 8)
        told = told.detach().numpy() * detector.scale_ + detector.mean_
        expected[:, at] = told[:, at]
    rebuilt = detector.reconstruct(flat)
    np.testing.assert_allclose(rebuilt, expected, rtol=1e-4, atol=1e-4)
    changed = X.copy()
    changed[:, 4:8] = 7.0
    kept = detector.reconstruct(changed)[:, 4:8]
    np.testing.assert_allclose(kept, detector.reconstruct(X)[:, 4:8], rtol=1e-9)


def test_parts__add_up_to_the_score(detector, X):
    scores = detector.score_samples(X)
    np.testing.assert_allclose(detector.explain(X).sum(axis=(1, 2)), -scores)
    np.testing.assert_allclose(detector.score_timesteps(X).mean(axis=1), scores)


def test_features__are_those_of_random_convolutions(detector, X):
    plain = RandomConvolutions(
        20, random_state=detector.convolutions_.random_state
    ).fit(X)
    told = detector.convolutions_.transform(X)
    np.testing.assert_array_equal(told, plain.transform(X))
    assert detector.latent_dim_ == told.shape[1]


def test_units__are_those_of_each_value_and_its_channel(detector, X):
    spread = X.std(axis=0)
    expected = spread + 0.1 * np.sqrt((spread**2).mean(axis=0))
    np.testing.assert_allclose(detector.scale_, expected.ravel())
    X = X.copy()
    X[:, :, 1] = 0.1
    flat = MaskedFeatureAutoencoder(20, 16, **FAST).fit(X)
    np.testing.assert_array_equal(flat.scale_.reshape(12, 2)[:, 1], 1.0)
    assert np.isfinite(flat.score_samples(X)).all()


def test_masks__are_drawn_as_often_as_asked(detector):
    module, total = detector.net_.module_, 4000
    with torch_generator(torch.Generator().manual_seed(0)):
        masks = module._draw_masks(total)
    parts = (masks.view(total, 3, 8) == 0).all(dim=2)
    assert ((masks == 0).sum(dim=1) == 8 * parts.sum(dim=1)).all()
    assert parts.sum(dim=1).max() == 1
    np.testing.assert_allclose(parts.float().mean(dim=0), 0.25, atol=0.05)


def test_max_windows__are_those_that_are_seen(detector, X):
    few = MaskedFeatureAutoencoder(20, 16, max_windows=11, **FAST).fit(X)
    seen = few._seen_by_net(all_windows(X.reshape(len(X), -1)))
    assert len(seen) == 11
    assert seen.windows.rows[[0, -1]].tolist() == [0, 99]
    assert seen.gather(np.arange(3)).shape == (3, 24 + few.latent_dim_)


def test_blocks__are_learnt_with_features_of_their_own(detector, X):
    fold = detector._fold_at(X.reshape(len(X), -1), np.arange(60))
    own, others = fold.convolutions_, detector.convolutions_
    np.testing.assert_array_equal(own.kernels_, others.kernels_)
    assert not np.array_equal(own.mean_, others.mean_)
    assert detector.convolutions_ is others


def test_feature_errors__without_residuals__are_spread_evenly():
    codes = np.array([[3.0, 4.0]])
    parts = FeatureErrors().contributions(np.zeros((1, 5, 2)), codes)
    np.testing.assert_allclose(parts, np.sqrt(12.5) / 2)


def test_to_onnx__says_that_it_cannot(detector, tmp_path):
    pytest.importorskip("onnx")
    samples = MaskedFeatureAutoencoder(20, 16, error_model="mse", **FAST)
    for other in (detector, samples.fit(np.random.default_rng(0).normal(size=(40, 9)))):
        with pytest.raises(NotImplementedError, match="MaskedFeatureAutoencoder"):
            to_onnx(other, tmp_path / "a.onnx")


def test_warm_start__goes_on_with_the_same_features(X):
    settings = {**FAST, "contamination": 0.1, "lr_schedule": None}
    halves = MaskedFeatureAutoencoder(20, 16, warm_start=True, **settings).fit(X)
    features = halves.convolutions_
    assert halves.fit(X).convolutions_ is features
    whole = MaskedFeatureAutoencoder(20, 16, **settings).set_params(max_steps=40)
    expected = whole.fit(X).score_samples(X)
    np.testing.assert_array_equal(halves.score_samples(X), expected)


def test_save__file_holds_features_and_net(detector, X, tmp_path):
    from skad import load

    save(detector, tmp_path / "a.skad")
    loaded = load(tmp_path / "a.skad")
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))
    np.testing.assert_array_equal(loaded.explain(X), detector.explain(X))
