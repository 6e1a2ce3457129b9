"""
The six nets of the ECG study
=============================

A dense, a recurrent and a convolutional autoencoder, each with and without a penalty on
its code, learn what normal heartbeats look like. Here they are given a few seconds
each, on made beats; `examples/ecg_heartbeats.py` trains them for as long as the study.
"""

# %%
# The study pulls the code of its "KL" nets towards an even spread. That is a parameter,
# not a class. References of `evaluate` stand beside: PCA, neighbours, a forest.

import skad

kl = {"kl_weight": 1.0}
short = {"max_epochs": 6, "contamination": 0.02, "random_state": 0}
nets = {
    "MLP": skad.MLPAutoencoder((128,), 16, **short),
    "KL-MLP": skad.MLPAutoencoder((128,), 16, **kl, **short),
    "LSTM": skad.LSTMAutoencoder(16, **short),
    "KL-LSTM": skad.LSTMAutoencoder(16, **kl, **short),
    "Conv": skad.ConvAutoencoder(latent_dim=16, **short),
    "KL-Conv": skad.ConvAutoencoder(latent_dim=16, **kl, **short),
}

# %%
# They learn from normal beats of some patients, and are judged by beats of others.

X, _ = skad.make_heartbeats(500, 0, n_patients=6, random_state=0)
X_test, y_test = skad.make_heartbeats(300, 80, n_patients=6, random_state=1)
report = skad.evaluate(nets, X, X_test=X_test, y_test=y_test > 0, seeds=1)
report

# %%
# What a net cannot rebuild is what it calls abnormal. The band is the error.

detector = nets["MLP"].fit(X)
pair = [(y_test == 0).argmax(), (y_test > 0).argmax()]
skad.ReconstructionDisplay.from_estimator(detector, X_test, y_test > 0, windows=pair)

# %%
# The curve of the loss tells whether a few epochs were enough.

skad.TrainingHistoryDisplay.from_estimator(detector)
