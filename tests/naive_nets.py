"""Slow, obvious versions of nets and training, to compare with."""

import torch
from torch import nn
from torch.nn.utils import skip_init


def lstm_autoencoder(
    module, X, *, feedback, reverse=True, teacher=False, starts_from_state=False
):
    """Run LSTM autoencoder `module` cell by cell; returns outputs and latent code.

    Only the weights of `module` are used.
    """
    encoder, decoder = cell_of(module.encoder), cell_of(module.decoder)
    h = torch.zeros(len(X), encoder.hidden_size, dtype=X.dtype)
    c = torch.zeros_like(h)
    for t in range(X.shape[1]):
        h, c = encoder(X[:, t], (h, c))
    latent = h
    if hasattr(module, "code_layer"):  # nothing but the code goes on
        latent = module.code_layer(h)
        h, c = module.expand(latent), torch.zeros_like(c)
    step = torch.zeros_like(X[:, 0])
    target = X.flip(1) if reverse else X
    outputs = []
    for t in range(X.shape[1]):
        if t > 0 or not starts_from_state:
            h, c = decoder(step, (h, c))
        logit = module.output_layer(h)
        output = module.output_activation(logit)
        outputs.append(output)
        own = logit if feedback == "logit" else output
        step = target[:, t] if teacher else own
    outputs = torch.stack(outputs, dim=1)
    return outputs.flip(1) if reverse else outputs, latent


def conv_lstm_autoencoder(module, X):
    """Run a `ConvLSTMModule` output by output; returns outputs and latent code.

    Only the weights of `module` are used. Strides are 2, paddings half a kernel.
    """
    lengths, hidden = [X.shape[1]], X
    for layer in module.encoder[::2]:
        hidden = convolution(layer, hidden).relu()
        lengths.append(hidden.shape[1])
    code = module.code_layer(lstm_states(module.reader, hidden).flatten(1))
    hidden = module.expand(code).view(hidden.shape)
    hidden = module.narrow(lstm_states(module.writer, hidden))
    for layer in [*module.decoder[1::2], module.output_layer]:
        lengths.pop()
        hidden = transposed_convolution(layer, hidden.relu(), lengths[-1])
    return hidden, code


def lstm_states(lstm, X):
    """All states of an LSTM, cell by cell: (B, T, C) -> (B, T, H)."""
    cell, states = cell_of(lstm), []
    h = torch.zeros(len(X), lstm.hidden_size, dtype=X.dtype)
    c = torch.zeros_like(h)
    for t in range(X.shape[1]):
        h, c = cell(X[:, t], (h, c))
        states.append(h)
    return torch.stack(states, dim=1)


def convolution(layer, X):
    """(B, T, C) -> (B, L, K): a dense layer of every second stretch of a kernel."""
    weight = layer.weight[:, :, 0]  # (K, C, kernel)
    size = weight.shape[2]
    padded = nn.functional.pad(X, (0, 0, size // 2, size // 2))
    starts = range(0, padded.shape[1] - size + 1, 2)
    stretches = [padded[:, s : s + size] for s in starts]
    outputs = [torch.einsum("btc,kct->bk", part, weight) for part in stretches]
    return torch.stack(outputs, dim=1) + layer.bias


def transposed_convolution(layer, X, length):
    """(B, L, K) -> (B, T, C): every step adds its kernel, two timesteps on."""
    weight = layer.weight[:, :, 0]  # (K, C, kernel)
    size = weight.shape[2]
    padded = torch.zeros(len(X), length + 2 * size, weight.shape[1], dtype=X.dtype)
    for step in range(X.shape[1]):
        at = slice(2 * step, 2 * step + size)
        padded[:, at] += torch.einsum("bk,kct->btc", X[:, step], weight)
    return padded[:, size // 2 : size // 2 + length] + layer.bias


def cell_of(lstm):
    """LSTMCell that shares the weights of a one-layer LSTM."""
    cell = skip_init(nn.LSTMCell, lstm.input_size, lstm.hidden_size)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(cell, name, getattr(lstm, f"{name}_l0"))
    return cell


def residual_autoencoder(weights, X):
    """Run an MLPAutoencoder((), ..., latent_activation="silu", residual_block=True)."""

    def layer(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def silu(x):
        return x / (1 + torch.exp(-x))

    code = layer("code_layer", X.flatten(1))
    code = code + layer("residual_block", silu(code))
    return layer("output_layer", silu(code)).view_as(X), code


def tell_features(module, raw, mask):
    """Run a `MaskedFeatureModule` on scaled windows; returns windows and features."""

    def layer(linear, x):
        return x @ linear.weight.double().T + linear.bias.double()

    def silu(x):
        return x / (1 + torch.exp(-x))

    hidden = layer(module.input_layer, torch.cat([raw * mask, mask], dim=1))
    hidden = silu(hidden + layer(module.residual_block, silu(hidden)))
    return layer(module.window_layer, hidden), layer(module.output_layer, hidden)
