"""What happens inside fit: stopping, callbacks, interrupts, threads, warm start."""

import contextlib
import copy
import functools
import os
import pickle
import signal
import sys
import threading
import warnings
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from instances import FAST, ONE_EPOCH, Bottleneck
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode_stack,
)

from skad import (
    Autoencoder,
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    LSTMAutoencoder,
    MeanSquaredErrors,
    MLPAutoencoder,
)
from skad.training._random import torch_generator
from skad.training._torch_state import training_state


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 2)) @ rng.normal(size=(2, 10))


def fast_mlp(**params):
    return MLPAutoencoder(**({"hidden_dims": (6,), "latent_dim": 2} | FAST | params))


def state_of(detector):
    """Everything that a later call of the detector depends on."""
    weights = detector.net_.module_.state_dict()
    return {name: tensor.clone() for name, tensor in weights.items()}, vars(detector)


def assert_same_state(detector, before):
    weights, attributes = before
    for name, tensor in detector.net_.module_.state_dict().items():
        assert torch.equal(tensor, weights[name])
    assert vars(detector) == attributes


# Stopping -----------------------------------------------------------------------------


def test_early_stopping__keeps_copies_of_the_best_weights(X):
    class Spoil(Callback):
        """Ruin the weights after the third epoch."""

        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) > 3:
                with torch.no_grad():
                    for parameter in net.module_.parameters():
                        parameter.add_(1.0)

    settings = {"max_epochs": 20, "n_iter_no_change": 4, "refit": False}
    spoilt = fast_mlp(callbacks=[Spoil()], **settings).fit(X)
    history = spoilt.history_
    best = int(history["valid_loss"].idxmin())
    assert best < 3
    assert spoilt.n_iter_ == len(history) == best + 1 + 4
    expected = fast_mlp(callbacks=[StopAfter(best + 1)], **settings).fit(X)
    np.testing.assert_array_equal(spoilt.score_samples(X), expected.score_samples(X))


class StopAfter(Callback):
    """Stop the way skorch's callbacks do."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.n_epochs:
            raise KeyboardInterrupt


def test_no_early_stopping__trains_on_all_rows_to_the_end(X):
    detector = fast_mlp(early_stopping=False, max_epochs=7).fit(X)
    assert detector.n_iter_ == 7
    assert "valid_loss" not in detector.history_


def test_refit__learns_all_rows_for_the_best_number_of_epochs(X):
    detector = fast_mlp(max_epochs=9, lr=0.1).fit(X)
    first = fast_mlp(max_epochs=9, lr=0.1, refit=False).fit(X)
    assert detector.best_epoch_ == first.best_epoch_
    pd.testing.assert_frame_equal(
        detector.history_.drop(columns="dur"), first.history_.drop(columns="dur")
    )
    sizes = []

    class CountRows(Callback):
        def on_epoch_begin(self, net, dataset_train=None, **kwargs):
            sizes.append(len(dataset_train))

    fast_mlp(max_epochs=9, lr=0.1, callbacks=[CountRows()]).fit(X)
    assert sizes == [108] * first.n_iter_ + [120] * first.best_epoch_


@pytest.mark.parametrize("error_model", ["std", "hybrid", "mahalanobis"])
def test_refit__units_of_threshold_and_scores_agree(error_model):
    # Noise has nothing to learn: new rows have larger errors than those learnt.
    noise, new = np.random.default_rng(0).normal(size=(2, 200, 10))
    settings = {"error_model": error_model, "max_epochs": 60, "lr": 0.01}
    detector = fast_mlp(hidden_dims=(32,), **settings).fit(noise)
    assert np.mean(detector.predict(new) == -1) < 0.2


@pytest.mark.parametrize(
    ("params", "X_val"),
    [({}, "given"), ({"warm_start": True}, None), ({"early_stopping": False}, None)],
)
def test_refit__has_no_effect(X, params, X_val):
    fits = [
        fast_mlp(refit=refit, error_model="mse", **params).fit(
            X, X_val=X[:30] if X_val else None
        )
        for refit in (False, True)
    ]
    np.testing.assert_array_equal(fits[0].score_samples(X), fits[1].score_samples(X))


@pytest.mark.parametrize("refit", [False, True])
def test_refit__says_where_the_error_model_is_fitted_though_X_val_is_given(X, refit):
    detector = fast_mlp(refit=refit, error_model="std").fit(X, X_val=X[:30] + 1.0)
    used = X if refit else X[:30] + 1.0
    residuals = used - detector.reconstruct(used)
    squares = np.square(residuals).mean(axis=0)[:, None]
    np.testing.assert_allclose(
        detector.error_model_.scale_, squares + 0.01 * squares.mean(), rtol=1e-4
    )


def test_warm_start__after_refit__would_validate_on_what_was_learnt(X):
    detector = fast_mlp().fit(X).set_params(warm_start=True)
    with pytest.raises(ValueError, match="including those to validate on"):
        detector.fit(X)
    detector.fit(X, X_val=X[:20])
    again = fast_mlp(refit=False).fit(X).set_params(warm_start=True)
    again.fit(X)


def test_weight_decay__that_no_optimizer_takes__is_refused(X):
    def plain(params, lr):
        return torch.optim.SGD(params, lr=lr)

    fast_mlp(optimizer=plain).fit(X)
    with pytest.raises(ValueError, match=r"weight_decay=0\.1 has no effect"):
        fast_mlp(optimizer=plain, weight_decay=0.1).fit(X)


def test_cosine_schedule__batches_of_net_params__falls_to_zero_once(X):
    rates = []

    class Note(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training:
                rates.append(net.optimizer_.param_groups[0]["lr"])

    fast_mlp(
        lr_schedule="cosine",
        net_params={"batch_size": 16},
        callbacks=[Note],
        refit=False,
    ).fit(X)
    assert (np.diff(rates) < 0).all()


def test_validation_fraction__near_one__leaves_a_window_to_train_on(X):
    assert len(
        fast_mlp(validation_fraction=0.99, error_model="mse").fit(X[:12]).history_
    )


def test_traps__warn_once_though_two_nets_are_trained(X):
    with pytest.warns(UserWarning, match="latent_dim=10 is not below") as caught:
        fast_mlp(latent_dim=10).fit(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_traps__a_wide_code_is_none_with_noise(X):
    with warnings.catch_warnings(action="error"):
        wide = fast_mlp(latent_dim=10, input_noise=0.1, linear_path=None)
        wide.fit(X)


@pytest.mark.parametrize(
    ("n_windows", "max_steps", "expected"), [(100, 1, 1), (100, 9, 3), (80, 40, 20)]
)
def test_max_steps__are_whole_epochs(X, n_windows, max_steps, expected):
    settings = {"batch_size": 40, "early_stopping": False, "contamination": 0.1}
    by_steps = fast_mlp(max_steps=max_steps, **settings).fit(X[:n_windows])
    by_epochs = fast_mlp(max_epochs=expected, **settings).fit(X[:n_windows])
    assert by_steps.n_iter_ == expected
    np.testing.assert_array_equal(by_steps.score_samples(X), by_epochs.score_samples(X))


def test_max_steps__left_out_blocks_are_learnt_for_as_many_epochs(X):
    settings = {"batch_size": 40, "early_stopping": False}
    by_steps = fast_mlp(max_steps=9, **settings).fit(X)
    by_epochs = fast_mlp(max_epochs=3, **settings).fit(X)
    assert by_steps.offset_ == by_epochs.offset_


def test_input_noise__a_pair_is_a_size_for_each_window():
    net = fast_mlp(input_noise=(0.5, 2.0), max_epochs=1).fit(np.eye(12)).net_
    sizes = net._draw_noise((300, 400, 5)).square().mean((1, 2)).sqrt()
    assert 0.45 < sizes.min() < 0.6
    assert 1.9 < sizes.max() < 2.1


def test_input_noise__a_pair_of_equals_is_that_size(X):
    settings = {"batch_size": 200, "max_epochs": 1, "early_stopping": False}
    first, second = (
        fast_mlp(input_noise=noise, **settings).fit(X).score_samples(X)
        for noise in ((0.5, 0.5), 0.5)
    )
    np.testing.assert_allclose(first, second, rtol=1e-4)


def test_history__has_losses_and_seconds_and_no_batches(X):
    detector = fast_mlp(max_epochs=4).fit(X)
    columns = ["epoch", "train_loss", "valid_loss", "dur", "event_lr"]
    assert set(columns[:4]) <= set(detector.history_) <= set(columns)
    assert detector.history_["epoch"].tolist() == [1, 2, 3, 4]
    assert all(row["batches"] == [] for row in detector.net_.history)


def test_best_epoch__is_the_one_whose_weights_were_kept(X):
    detector = fast_mlp(max_epochs=8, lr=0.3, lr_schedule=None).fit(X)
    assert detector.best_epoch_ == detector.history_["valid_loss"].idxmin() + 1
    assert fast_mlp(early_stopping=False).fit(X).best_epoch_ is None


def test_validation_loss__of_a_sum_is_that_of_a_full_batch(X):
    settings = {"lr": 1e-12, "linear_path": None, "max_epochs": 1}
    history = fast_mlp(loss_reduction="sum", **settings).fit(X).history_
    losses = fast_mlp(**settings).fit(X).history_
    np.testing.assert_allclose(
        history["valid_loss"], losses["valid_loss"] * 640, rtol=1e-5
    )


def test_random_prior__does_not_choose_the_epoch(X):
    detector = fast_mlp(kl_weight=1.0, kl_prior="random", lr=1e-12, max_epochs=6)
    assert np.ptp(detector.fit(X).history_["valid_loss"]) < 1e-6


# Callbacks ----------------------------------------------------------------------------


def test_callbacks__any_of_skorch_and_the_callers_stay_as_they_were(X):
    stopping = EarlyStopping(patience=2, threshold=0.99)
    before = vars(stopping).copy()
    params = {"max_epochs": 30, "refit": False}
    detector = fast_mlp(callbacks=[("mine", stopping)], **params).fit(X)
    assert detector.n_iter_ < 30
    assert vars(stopping) == before
    assert detector.callbacks[0][1] is stopping
    ((name, used),) = detector.net_.callbacks_
    assert name == "mine"
    assert used is not stopping
    assert used.misses_ == 2


def test_verbose__prints_and_silence_is_silent(X, capsys):
    fast_mlp().fit(X)
    assert capsys.readouterr() == ("", "")
    fast_mlp(verbose=1).fit(X)
    assert "valid_loss" in capsys.readouterr().out


class Recorder:
    """A callback of scikit-learn that counts tasks."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.begun, self.ended, self.calls = [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)
        return len(self.ended) == self.stop_after


def test_sklearn_callbacks__see_every_epoch(X):
    recorder = Recorder()
    detector = fast_mlp(max_epochs=4).set_callbacks(recorder).fit(X)
    n_epochs = 4 + detector.best_epoch_  # those of the refit
    assert recorder.begun == ["fit", *["epoch"] * n_epochs]
    assert recorder.ended == [*["epoch"] * n_epochs, "fit"]
    assert recorder.calls == ["setup", "teardown"]


def test_sklearn_callbacks__may_stop_and_are_torn_down_after_an_error(X):
    detector = fast_mlp(max_epochs=9).set_callbacks(Recorder(stop_after=2)).fit(X)
    assert detector.n_iter_ == 2
    recorder = Recorder()
    detector.set_params(lr=1e30).set_callbacks(recorder)
    with pytest.raises(ValueError, match="diverged"):
        detector.fit(X)
    assert recorder.calls == ["setup", "teardown"]


def test_progress_bar__of_scikit_learn_runs(X, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    fast_mlp().set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X)
    assert "MLPAutoencoder - fit" in capsys.readouterr().out


# Failing ------------------------------------------------------------------------------


@pytest.mark.faults
@pytest.mark.parametrize("warm_start", [False, True])
def test_divergence__raises_and_leaves_the_detector_as_it_was(X, warm_start):
    detector = fast_mlp(warm_start=warm_start).fit(X)
    before = state_of(detector)
    detector.set_params(lr=1e30)
    attributes = vars(detector).copy()
    with pytest.raises(ValueError, match=r"diverged.*lr=1e\+30.*smaller lr"):
        detector.fit(10 * X)
    assert_same_state(detector, (before[0], attributes))
    with pytest.raises(ValueError, match="diverged"):
        clone(detector).fit(X)


@pytest.mark.faults
@pytest.mark.parametrize("method", ["__enter__", "__exit__"])
def test_ctrl_c__as_a_generator_is_handed_over__is_taken_back(X, method, monkeypatch):
    """A Ctrl-C inside torch, where it has put its mode on the stack, or not yet off."""

    def interrupted(self, *args):
        if method == "__enter__":
            TorchDispatchMode.__enter__(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(torch_generator, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        fast_mlp().fit(X)
    assert not _get_current_dispatch_mode_stack()


class Interrupt(Callback):
    """Press Ctrl-C in the third epoch of a fit of five."""

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) in (3, 8):
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):  # the signal arrives between instructions
                pass


@pytest.mark.faults
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("warm_start", [False, True])
def test_ctrl_c__leaves_fit_and_the_detector_as_it_was(X, warm_start):
    detector = fast_mlp(max_epochs=5, warm_start=warm_start).fit(X)
    threads = torch.get_num_threads()
    before = state_of(detector)
    detector.set_params(callbacks=[Interrupt()])
    attributes = vars(detector).copy()
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:100])
    assert_same_state(detector, (before[0], attributes))
    assert torch.get_num_threads() == threads
    unfitted = clone(detector)
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(X)
    assert set(vars(unfitted)) == set(unfitted.get_params())


@pytest.mark.faults
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c__while_the_optimizer_has_gradients_off__they_are_on_again(X):
    class Off(Interrupt):
        def on_batch_begin(self, net, **kwargs):
            torch.set_grad_enabled(False)  # as it does for each step
            super().on_batch_begin(net, **kwargs)
            torch.set_grad_enabled(True)

    with pytest.raises(KeyboardInterrupt):
        fast_mlp(max_epochs=5, callbacks=[Off()]).fit(X)
    assert torch.is_grad_enabled()
    fast_mlp().fit(X)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_fit__inside_a_mode_without_gradients__is_the_same(X, mode):
    expected = fast_mlp().fit(X)
    with mode():
        detector = fast_mlp().fit(X)
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(X))


def interrupts(*args):
    raise KeyboardInterrupt


def deeply(depth):
    if depth:
        deeply(depth - 1)
    interrupts()


class Handler:
    """Raises when it is called, and as a method."""

    def __call__(self, signum, frame):
        self.helps()

    def helps(self, *args):
        raise KeyboardInterrupt


def resets_itself(signum, frame):
    signal.signal(signum, signal.SIG_DFL)
    raise KeyboardInterrupt


def is_decorated(signum, frame):
    return contextlib.contextmanager(lambda: (yield interrupts()))().__enter__()


HANDLERS = {
    "itself": lambda signum, frame: interrupts(),
    "raises": interrupts,
    "at any depth": lambda *_: deeply(20),
    "partial": functools.partial(lambda depth, *args: deeply(depth), 2),
    "keywords": lambda signum, frame, **kwargs: deeply(1),
    "object": Handler(),
    "method": Handler().helps,
    "resets itself": resets_itself,
    "in a generator": is_decorated,
    "of Python": signal.default_int_handler,
    "calls that of Python": lambda *args: signal.default_int_handler(*args),
}


class Signal(Callback):
    """Send a signal in the second epoch, from some depth."""

    def __init__(self, number, depth=0, clean_up=False):
        self.number = number
        self.depth = depth
        self.clean_up = clean_up

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            try:
                self.send(self.depth)
            except KeyboardInterrupt:
                if not self.clean_up:
                    raise
                raise KeyboardInterrupt  # noqa: B904, as a callback may, having cleaned up

    def send(self, depth):
        if depth:
            self.send(depth - 1)
        else:
            os.kill(os.getpid(), self.number)
            for _ in range(1000):  # the signal arrives between instructions
                pass


@pytest.mark.faults
@pytest.mark.parametrize("clean_up", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("name", HANDLERS)
def test_any_signal__whose_handler_interrupts__leaves_fit(X, name, number, clean_up):
    before = signal.signal(number, HANDLERS[name])
    try:
        for depth in (0, 3):
            signal.signal(number, HANDLERS[name])
            callbacks = [Signal(number, depth, clean_up)]
            with pytest.raises(KeyboardInterrupt):
                fast_mlp(max_epochs=4, callbacks=callbacks).fit(X)
    finally:
        signal.signal(number, before)


class StopsDeeply(Callback):
    """Stop from a function that the callback calls, beside frames of its own."""

    def on_epoch_end(self, net, **kwargs):
        frame = sys._getframe()
        if len(net.history) == 2 and frame is not None:
            try:
                raise ValueError
            except ValueError:
                deeply(3)


def test_a_stop_from_what_a_callback_calls__is_polite(X):
    settings = {"max_epochs": 9, "early_stopping": False}
    assert fast_mlp(callbacks=[StopsDeeply()], **settings).fit(X).n_iter_ == 2


# Warm start ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "detector",
    [
        MLPAutoencoder((6,), 2, input_noise=0.1, **FAST),
        ConvAutoencoder((4,), 3, 2, **FAST),
        Autoencoder(Bottleneck, **FAST),
    ],
    ids=["mlp", "conv", "custom"],
)
def test_warm_start__two_halves_are_the_whole(detector, X):
    settings = {"early_stopping": False, "lr_schedule": None}
    whole = clone(detector).set_params(max_epochs=6, **settings).fit(X)
    halves = clone(detector).set_params(max_epochs=3, warm_start=True, **settings)
    halves.fit(X).fit(X)
    np.testing.assert_array_equal(halves.score_samples(X), whole.score_samples(X))
    assert halves.n_iter_ == 6
    assert halves.history_["train_loss"].equals(whole.history_["train_loss"])


@pytest.mark.parametrize(
    "change",
    [
        {"kl_weight": 10.0},
        {"kl_weight": 10.0, "kl_prior": "random"},
        {"weight_decay": 1.0},
        {"loss_reduction": "sum"},
        {"input_noise": 1.0},
        {"lr": 0.1},
        {"lr_schedule": None},
        {"max_grad_norm": 1e-3},
        {"batch_size": 16},
        {"net_params": {"optimizer__betas": (0.1, 0.2)}},
    ],
    ids=str,
)
def test_warm_start__changed_parameters_count(X, change):
    first = fast_mlp(warm_start=True, early_stopping=False).fit(X)
    other = copy.deepcopy(first).set_params(**change)
    assert not np.array_equal(
        first.fit(X).score_samples(X), other.fit(X).score_samples(X)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_dims": (7,)},
        {"latent_dim": 1},
        {"linear_path": None},
        {"activation": "tanh"},
        {"optimizer": "sgd"},
    ],
    ids=str,
)
def test_warm_start__what_cannot_change_is_refused(X, change):
    detector = fast_mlp(warm_start=True).fit(X).set_params(**change)
    with pytest.raises(ValueError, match=rf"{next(iter(change))} changed since"):
        detector.fit(X)


def test_warm_start__holds_out_the_same_windows(X):
    class Seen(Callback):
        rows: ClassVar[list] = []

        def on_train_begin(self, net, X=None, **kwargs):
            self.rows.append(X.windows.rows)

    detector = fast_mlp(warm_start=True, random_state=None, callbacks=[Seen()])
    detector.fit(X).fit(X)
    np.testing.assert_array_equal(*Seen.rows)


def test_warm_start__other_width_is_refused_and_pickled_nets_go_on(X):
    detector = fast_mlp(warm_start=True).fit(X)
    with pytest.raises(ValueError, match=r"shape \(8, 1\).*shape \(10, 1\)"):
        detector.fit(X[:, :8])
    loaded = pickle.loads(pickle.dumps(detector))
    loaded.fit(X)
    assert loaded.n_iter_ == 2 * detector.n_iter_


# Losses and optimizers ----------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer", ["adamw", "nadam", "rmsprop", "sgd", torch.optim.Adagrad]
)
def test_optimizers__lower_the_loss(X, optimizer):
    detector = fast_mlp(optimizer=optimizer, max_epochs=10, linear_path=None).fit(X)
    losses = detector.history_["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]


def test_net_params__reach_skorch(X):
    detector = fast_mlp(net_params={"optimizer__betas": (0.5, 0.9)}, warm_start=True)
    detector.fit(X)
    assert detector.net_.optimizer_.param_groups[0]["betas"] == (0.5, 0.9)
    assert detector.net_.optimizer_.param_groups[0]["fused"]
    assert detector.net_params == {"optimizer__betas": (0.5, 0.9)}


def test_kl_weight__draws_the_code_towards_equal_shares(X):
    def spread(**params):
        codes = (
            fast_mlp(latent_dim=4, linear_path=None, max_epochs=40, lr=1e-2, **params)
            .fit(X)
            .transform(X)
        )
        return codes.std(axis=1).mean()

    free = spread()
    assert spread(kl_weight=10.0) < 0.5 * free
    assert spread(kl_weight=10.0, kl_prior="random") < 0.5 * free


def test_loss_sum__is_the_mean_times_the_number_of_values(X):
    settings = {"optimizer": "sgd", "lr_schedule": None, "batch_size": 108}
    mean = fast_mlp(lr=1e-3 * 108 * 10, **settings).fit(X)
    total = fast_mlp(lr=1e-3, loss_reduction="sum", **settings).fit(X)
    np.testing.assert_allclose(
        total.history_["train_loss"], mean.history_["train_loss"] * 1080, rtol=1e-3
    )


# Threads ------------------------------------------------------------------------------


def test_training_state__one_thread__set_and_restored_by_concurrent_fits():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    barrier = threading.Barrier(3)
    seen = []

    def fit():
        with training_state():
            seen.append(torch.get_num_threads())
            barrier.wait()

    threads = [threading.Thread(target=fit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1, 1, 1]
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_fit__trains_on_one_thread(X):
    class Look(Callback):
        seen: ClassVar[set] = set()

        def on_batch_begin(self, net, **kwargs):
            self.seen.add(torch.get_num_threads())

    class Watch(MeanSquaredErrors):
        def window_errors(self, residuals, codes=None):
            Look.seen.add(torch.get_num_threads())
            return super().window_errors(residuals, codes)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    fast_mlp(callbacks=[Look()], error_model=Watch()).fit(X)
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert Look.seen == {1}
    assert after == 2


# The nets of the study ----------------------------------------------------------------


def n_parameters(detector):
    return sum(p.numel() for p in detector.net_.module_.parameters())


def test_parameters__stand_in_data_flow_order(X):
    def names(detector):
        module = detector.fit(X).net_.module_
        return [name.rsplit(".", 1)[0] for name, _ in module.named_parameters()]

    conv = names(ConvAutoencoder((2, 3), 3, 2, linear_path=None, **FAST))
    assert list(dict.fromkeys(conv)) == [
        *("encoder.0", "encoder.2", "code_layer", "expand", "decoder.1"),
        "output_layer",
    ]
    conv_lstm = names(ConvLSTMAutoencoder((2, 3), 3, 2, 1, linear_path=None, **FAST))
    assert list(dict.fromkeys(conv_lstm)) == [
        *("encoder.0", "encoder.2", "reader", "code_layer", "expand", "writer"),
        *("narrow", "decoder.1", "output_layer"),
    ]
    mlp = names(MLPAutoencoder((4, 3), 2, linear_path=None, **FAST))
    assert list(dict.fromkeys(mlp)) == [
        *("encoder.0", "encoder.2", "code_layer", "decoder.0", "decoder.2"),
        "output_layer",
    ]


@pytest.mark.parametrize(
    ("shape", "widths"),
    [
        ((1, 1), (5, 1)),
        ((24, 1), (120, 24)),
        ((5, 3), (75, 15)),
        ((100, 1), (500, 100)),
        ((60, 8), (500, 100)),
    ],
)
@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
def test_auto_widths__follow_the_values_of_a_window(shape, widths):
    X = np.random.default_rng(0).normal(size=(30, *shape))
    chosen = MLPAutoencoder(latent_dim=1, **ONE_EPOCH).fit(X)
    told = MLPAutoencoder(widths, 1, **ONE_EPOCH).fit(X)
    assert chosen.hidden_dims_ == told.hidden_dims_ == widths
    assert chosen.hidden_dims == "auto"
    np.testing.assert_array_equal(chosen.score_samples(X), told.score_samples(X))


def test_auto_widths__take_an_activation_for_each_layer(X):
    activation = ("relu", "tanh", "relu", "elu")
    detector = MLPAutoencoder(activation=activation, **ONE_EPOCH).fit(X)
    kinds = [type(layer).__name__ for layer in detector.net_.module_.branch.decoder]
    assert kinds[1::2] == ["ReLU", "ELU"]
    with pytest.raises(ValueError, match="4, one for each hidden layer"):
        detector.set_params(activation=("relu", "relu")).fit(X)


def test_widths_of_another_name__are_refused(X):
    with pytest.raises(ValueError, match=r"hidden_dims.*\{'auto'\}.*'wide'"):
        MLPAutoencoder("wide").fit(X)


def test_study_nets__have_their_parameters(beats):
    X, y = beats
    study = {"loss_reduction": "sum", "normal_label": 0, "max_epochs": 1}
    mlp = MLPAutoencoder(
        (500, 100),
        32,
        linear_path=None,
        activation=("relu", "softmax", "relu", "relu"),
        latent_activation="softmax",
        output_activation="sigmoid",
        kl_weight=1.0,
        kl_prior="random",
        **study,
    ).fit(X, y)
    widths = [187, 500, 100, 32, 100, 500, 187]
    dense = sum(a * b + b for a, b in pairwise(widths))
    assert n_parameters(mlp) == dense
    shapes = [tuple(p.shape) for p in mlp.net_.module_.parameters()]
    pairs = pairwise(widths)
    assert shapes == [s for a, b in pairs for s in ((b, a), (b,))]
    lstm = LSTMAutoencoder(
        20, linear_path=None, output_activation="sigmoid", error_model="mse", **study
    ).fit(X[:60], y[:60])
    assert n_parameters(lstm) == 2 * (80 * 1 + 80 * 20 + 160) + 21
