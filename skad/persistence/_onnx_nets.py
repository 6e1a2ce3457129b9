"""Nets as ONNX operators: those of skad layer by layer, others as torch traces them.

Tracing takes from two seconds (dense layers) to a minute (an LSTM), and cannot follow
outputs that are fed back. Adding the operators here takes milliseconds.

Shapes: B windows, T timesteps, C channels, D latent units.
"""

import copy
import io
import logging
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import singledispatch

import numpy as np
import torch
from torch import nn

from skad.detectors._conv import ConvAutoencoder
from skad.detectors._convlstm import ConvLSTMAutoencoder, ConvLSTMModule
from skad.detectors._encdec_ad import EncDecAD
from skad.detectors._lstm import LSTMAutoencoder
from skad.detectors._mlp import MLPAutoencoder
from skad.persistence._onnx_graph import OPSET, add_loop

_RECURRENT = (LSTMAutoencoder, EncDecAD)
_OF_SKAD = (MLPAutoencoder, ConvAutoencoder, ConvLSTMAutoencoder, *_RECURRENT)


def add_net(graph, detector, X) -> list:
    """Add the net of a detector, (B, T, C) -> (B, T, C) and (B, D), or None, float64.

    The second output is the code, None for a module that returns none.
    """
    module = copy.deepcopy(detector.net_.module_).cpu().eval().requires_grad_(False)
    window_shape = detector.net_.window_shape
    X = graph.cast(X, np.float32)
    if type(detector) in _RECURRENT:
        # onnxruntime approximates sigmoid and tanh in float32: with outputs that were
        # fed back 187 times, scores moved by 4e-6.
        module, X = module.double(), graph.cast(X, np.float64)
    if type(detector) in _RECURRENT and not hasattr(module, "branch"):
        outputs = _add_lstms(graph, module, X)
    elif type(detector) in _OF_SKAD:
        shape = np.array([0, *window_shape])  # 0 keeps B
        code = _encode(graph, module, X, shape)
        outputs = _decode(graph, module, code, shape), code
    else:
        outputs = _add_traced(graph, module, X, window_shape)
    return [out if out is None else graph.cast(out, np.float64) for out in outputs]


# Encoder and decoder ------------------------------------------------------------------


def _encode(graph, module, X, shape):
    if hasattr(module, "branch"):  # with a linear path
        centred = graph("Sub", graph("Flatten", X), module.mean)
        flat = graph("Div", centred, module.scale)
        branch = _encode(graph, module.branch, graph("Reshape", flat, shape), shape)
        return graph("Add", _add_layer(module.encoder, graph, flat), branch)
    if _is_recurrent(module):
        X, _ = _encode_lstm(graph, module, X)
    elif _is_convolutional(module):
        X = _add_layers(graph, module.encoder, _channels_first(graph, X))
        X = _channels_last(graph, X)
        if isinstance(module, ConvLSTMModule):
            X = _run_lstm(graph, module.reader, X, module.hidden_shape[0])
    else:
        X = _add_layers(graph, module.encoder, graph("Flatten", X))
    code = _add_layer(module.code_layer, graph, graph("Flatten", X))
    if getattr(module, "residual_block", None) is None:
        return code
    hidden = _add_layer(module.latent_activation, graph, code)
    return graph("Add", code, _add_layer(module.residual_block, graph, hidden))


def _decode(graph, module, code, shape):
    if hasattr(module, "branch"):
        branch = graph("Flatten", _decode(graph, module.branch, code, shape))
        flat = graph("Add", _add_layer(module.decoder, graph, code), branch)
        flat = graph("Add", graph("Mul", flat, module.scale), module.mean)
        return graph("Reshape", flat, shape)
    if _is_recurrent(module):
        hidden = _add_layer(module.expand, graph, code)
        zeros = _zeros(graph, hidden, module.decoder.hidden_size)
        return _decode_lstm(graph, module, hidden, zeros)
    if _is_convolutional(module):
        hidden = _add_layer(module.expand, graph, code)
        hidden = graph("Reshape", hidden, np.array([0, *module.hidden_shape]))
        if isinstance(module, ConvLSTMModule):
            hidden = _run_lstm(graph, module.writer, hidden, module.hidden_shape[0])
            hidden = _add_layer(module.narrow, graph, hidden)
        layers = [*module.decoder, module.output_layer]
        hidden = _add_layers(graph, layers, _channels_first(graph, hidden))
        return _channels_last(graph, hidden)
    layers = [module.latent_activation, *module.decoder, module.output_layer]
    layers.append(module.output_activation)
    return graph("Reshape", _add_layers(graph, layers, code), shape)


def _is_recurrent(module):
    return isinstance(module.decoder, nn.LSTM)


def _is_convolutional(module):
    return isinstance(module.output_layer, nn.ConvTranspose2d)


def _channels_first(graph, X):
    """(B, T, C) -> (B, C, 1, T)."""
    return graph("Unsqueeze", graph("Transpose", X, perm=[0, 2, 1]), np.array([2]))


def _channels_last(graph, X):
    """(B, C, 1, T) -> (B, T, C)."""
    return graph("Transpose", graph("Squeeze", X, np.array([2])), perm=[0, 2, 1])


# Layers -------------------------------------------------------------------------------


def _add_layers(graph, layers, X):
    for layer in layers:
        X = _add_layer(layer, graph, X)
    return X


@singledispatch
def _add_layer(layer, graph, X):
    """Add a layer of torch; here those that are one operator without attributes."""
    return graph(_OPERATORS[type(layer)], X)


_OPERATORS = {
    nn.Identity: "Identity",
    nn.ReLU: "Relu",
    nn.Tanh: "Tanh",
    nn.Sigmoid: "Sigmoid",
    nn.Softmax: "Softmax",  # both over the last axis
}


@_add_layer.register
def _(layer: nn.Linear, graph, X):
    product = graph("MatMul", X, layer.weight.T)
    return product if layer.bias is None else graph("Add", product, layer.bias)


@_add_layer.register
def _(layer: nn.Conv2d | nn.ConvTranspose2d, graph, X):
    operator = "Conv" if isinstance(layer, nn.Conv2d) else "ConvTranspose"
    attributes = {"strides": layer.stride, "pads": 2 * layer.padding}
    if operator == "ConvTranspose":
        attributes["output_padding"] = layer.output_padding
    return graph(operator, X, layer.weight, layer.bias, **attributes)


@_add_layer.register
def _(layer: nn.LeakyReLU, graph, X):
    return graph("LeakyRelu", X, alpha=layer.negative_slope)


@_add_layer.register
def _(layer: nn.ELU, graph, X):
    return graph("Elu", X, alpha=layer.alpha)


@_add_layer.register
def _(layer: nn.SiLU, graph, X):
    # Not x sigmoid(x): onnxruntime 1.20 fuses it to an operator for float32 only.
    one = graph("CastLike", 1.0, X)
    return graph("Div", X, graph("Add", one, graph("Exp", graph("Neg", X))))


@_add_layer.register
def _(layer: nn.GELU, graph, X):
    # x (1 + erf(x / sqrt(2))) / 2: the operator Gelu needs opset 20, and onnxruntime
    # has erf in float32 only.
    scaled = graph("Mul", X, graph("CastLike", 0.5**0.5, X))
    erf = graph("CastLike", graph("Erf", graph.cast(scaled, np.float32)), X)
    half = graph("Mul", X, graph("CastLike", 0.5, X))
    return graph("Add", half, graph("Mul", half, erf))


# LSTMs, timestep after timestep ----------------------------------------------------


def _run_lstm(graph, lstm, X, n_steps):
    """Add an LSTM, (B, L, K) float32 -> all of its states (B, L, H), float64 inside."""
    weights, X = _weights(lstm.double()), graph.cast(X, np.float64)

    def add_step(body, step, hidden, cell):
        state = _add_cell(body, weights, body("Gather", X, step, axis=1), hidden, cell)
        return *state, body("Identity", state[0])

    start = _zeros(graph, X, lstm.hidden_size)
    *_, states = add_loop(graph, n_steps, add_step, start, start)
    # In this order: onnxruntime 1.32 crashes on loop, transpose, cast.
    return graph("Transpose", graph.cast(states, np.float32), perm=[1, 0, 2])


def _add_lstms(graph, module, X):
    """Add an `LSTMModule`."""
    latent, cell = _encode_lstm(graph, module, X)
    return _decode_lstm(graph, module, latent, cell), latent


def _encode_lstm(graph, module, X):
    """Add the encoder, (B, T, C) -> its last hidden state and cell, (B, D) each."""
    weights = _weights(module.encoder)

    def add_step(body, step, hidden, cell):
        return _add_cell(body, weights, body("Gather", X, step, axis=1), hidden, cell)

    start = _zeros(graph, X, module.encoder.hidden_size)
    return add_loop(graph, module.window_length, add_step, start, start)


def _decode_lstm(graph, module, hidden, cell):
    """Add the decoder, (B, D) each -> (B, T, C), which is fed its own outputs.

    The output activation comes before the feedback or, if that is linear, after it.
    """
    weights = _weights(module.decoder)
    fed_back, afterwards = module.output_activation, nn.Identity()
    if module.linear_feedback:
        fed_back, afterwards = afterwards, fed_back
    last_layers = [module.output_layer, fed_back]

    def add_step(body, step, hidden, cell, last):
        state = _add_cell(body, weights, last, hidden, cell)
        output = _add_layers(body, last_layers, state[0])
        return *state, output, body("Identity", output)

    n_steps = module.window_length
    if module.starts_from_state:
        first = _add_layers(graph, last_layers, hidden)
        outputs = graph("Unsqueeze", first, np.array([0]))
        if n_steps > 1:
            *_, rest = add_loop(graph, n_steps - 1, add_step, hidden, cell, first)
            outputs = graph("Concat", outputs, rest, axis=0)
    else:
        zeros = _zeros(graph, hidden, module.decoder.input_size)
        *_, outputs = add_loop(graph, n_steps, add_step, hidden, cell, zeros)
    outputs = _add_layer(afterwards, graph, outputs)
    if module.reverse:
        outputs = graph("Gather", outputs, np.arange(n_steps)[::-1], axis=0)
    return graph("Transpose", outputs, perm=[1, 0, 2])


def _weights(lstm):
    """Weights of the input and of the hidden state, and biases, for all four gates."""
    biases = lstm.bias_ih_l0 + lstm.bias_hh_l0
    return lstm.weight_ih_l0.T, lstm.weight_hh_l0.T, biases


def _add_cell(graph, weights, X, hidden, cell):
    """Input (B, C), hidden state and cell (B, D) -> the next hidden state and cell."""
    weight, recurrent, biases = weights
    gates = graph("Add", graph("MatMul", X, weight), biases)
    gates = graph("Add", gates, graph("MatMul", hidden, recurrent))
    gates = graph("Split", gates, n_outputs=4, axis=1, num_outputs=4)
    enter, keep, leave = (graph("Sigmoid", gates[k]) for k in (0, 1, 3))
    new = graph("Mul", enter, graph("Tanh", gates[2]))
    cell = graph("Add", graph("Mul", keep, cell), new)
    return graph("Mul", leave, graph("Tanh", cell)), cell


def _zeros(graph, X, width):
    """Zeros (B, width), with B as in X."""
    n_windows = graph("Shape", X, start=0, end=1)
    shape = graph("Concat", n_windows, np.array([1]), axis=0)
    return graph("Expand", np.zeros((1, width)), shape)


# Others -------------------------------------------------------------------------------


def _add_traced(graph, module, X, window_shape):
    """Add a module that torch traces."""
    windows = torch.zeros(3, *window_shape)
    shapes = ({0: torch.export.Dim("n_windows")},)
    try:
        with _quiet():
            program = torch.export.export(module, (windows,), dynamic_shapes=shapes)
            exported = torch.onnx.export(
                program, dynamo=True, verbose=False, opset_version=OPSET
            )
    except Exception as error:
        raise NotImplementedError(
            f"{type(module).__name__} cannot be exported to ONNX: torch cannot trace "
            "its forward for any number of windows. It follows operations on tensors, "
            "but no if or loop that depends on their values or on the number of "
            f"windows. It says: {error}"
        ) from error
    reconstruction, *latent = graph.include(exported.model_proto, X)
    return reconstruction, latent[0] if latent else None


@contextmanager
def _quiet():
    """Suppress what the tracers print, log and warn of."""
    loggers = [logging.getLogger(n) for n in ("torch", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    unseen = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with (
            redirect_stdout(unseen),
            redirect_stderr(unseen),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
