"""The nets as ONNX operators: those of skad one by one, others as torch traces them.

Tracing takes from three seconds (dense layers) to a minute (an LSTM), and cannot follow
outputs that are fed back. The operators written here take milliseconds.

Shapes: B windows, T timesteps, C channels, D latent units; all is float32.
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

import skad
from skad.persistence._onnx_graph import OPSET, make_loop_body


def add_net(graph, detector, X):
    """Add a detector's net, (B, T, C) -> (B, T, C) and the code (B, D) or None."""
    module = copy.deepcopy(detector.net_.module_).cpu().eval().requires_grad_(False)
    window_shape = detector.net_.window_shape
    if type(detector) in (skad.LSTMAutoencoder, skad.EncDecAD):
        return _add_lstms(graph, module, X, window_shape)
    if type(detector) in (skad.MLPAutoencoder, skad.ConvAutoencoder):
        shape = np.array([0, *window_shape])  # 0 leaves B as it is
        code = _encode(graph, module, X, shape)
        return _decode(graph, module, code, shape), code
    return _add_traced(graph, module, X, window_shape)


# Dense and convolutional --------------------------------------------------------------


def _encode(graph, module, X, shape):
    if hasattr(module, "branch"):  # with a linear path
        centred = graph("Sub", graph("Flatten", X), module.mean)
        flat = graph("Div", centred, module.scale)
        branch = _encode(graph, module.branch, graph("Reshape", flat, shape), shape)
        return graph("Add", _add_layer(module.encoder, graph, flat), branch)
    layers = [*module.encoder, module.code_layer]
    if _is_convolutional(module):
        return _add_layers(graph, layers, graph("Transpose", X, perm=[0, 2, 1]))
    return _add_layers(graph, layers, graph("Flatten", X))


def _decode(graph, module, code, shape):
    if hasattr(module, "branch"):
        branch = graph("Flatten", _decode(graph, module.branch, code, shape))
        flat = graph("Add", _add_layer(module.decoder, graph, code), branch)
        flat = graph("Add", graph("Mul", flat, module.scale), module.mean)
        return graph("Reshape", flat, shape)
    if _is_convolutional(module):
        layers = [module.expand, *module.decoder, module.output_layer]
        return graph("Transpose", _add_layers(graph, layers, code), perm=[0, 2, 1])
    layers = [module.latent_activation, *module.decoder, module.output_layer]
    layers.append(module.output_activation)
    return graph("Reshape", _add_layers(graph, layers, code), shape)


def _is_convolutional(module):
    return isinstance(module.output_layer, nn.ConvTranspose1d)


# Layers -------------------------------------------------------------------------------


def _add_layers(graph, layers, X):
    for layer in layers:
        X = _add_layer(layer, graph, X)
    return X


@singledispatch
def _add_layer(layer, graph, X):
    """Add one layer of torch; those whose operator has its name and no attributes."""
    return graph(_SAME_NAME[type(layer)], X)


_SAME_NAME = {
    nn.Identity: "Identity",
    nn.ReLU: "Relu",
    nn.Tanh: "Tanh",
    nn.Sigmoid: "Sigmoid",
    nn.Softmax: "Softmax",  # over the last axis, both
    nn.Flatten: "Flatten",
}


@_add_layer.register
def _(layer: nn.Linear, graph, X):
    product = graph("MatMul", X, layer.weight.T)
    return product if layer.bias is None else graph("Add", product, layer.bias)


@_add_layer.register
def _(layer: nn.Conv1d | nn.ConvTranspose1d, graph, X):
    operator = "Conv" if isinstance(layer, nn.Conv1d) else "ConvTranspose"
    attributes = {"strides": layer.stride, "pads": 2 * layer.padding}
    if operator == "ConvTranspose":
        attributes["output_padding"] = layer.output_padding
    return graph(operator, X, layer.weight, layer.bias, **attributes)


@_add_layer.register
def _(layer: nn.Unflatten, graph, X):
    return graph("Reshape", X, np.array([0, *layer.unflattened_size]))


@_add_layer.register
def _(layer: nn.LeakyReLU, graph, X):
    return graph("LeakyRelu", X, alpha=layer.negative_slope)


@_add_layer.register
def _(layer: nn.ELU, graph, X):
    return graph("Elu", X, alpha=layer.alpha)


@_add_layer.register
def _(layer: nn.SiLU, graph, X):
    return graph("Mul", X, graph("Sigmoid", X))


@_add_layer.register
def _(layer: nn.GELU, graph, X):
    # x (1 + erf(x / sqrt(2))) / 2; an operator of that name came with opset 20.
    erf = graph("Erf", graph("Mul", X, np.float32(0.5**0.5)))
    half = graph("Mul", X, np.float32(0.5))
    return graph("Mul", half, graph("Add", erf, np.float32(1.0)))


# LSTMs --------------------------------------------------------------------------------


def _add_lstms(graph, module, X, window_shape):
    """Add an `LSTMModule`; time comes first, as the operator wants it."""
    window_length, n_channels = window_shape
    X = graph("Transpose", X, perm=[1, 0, 2])
    n_windows = graph("Shape", X, start=1, end=2)
    _, *state = _run(graph, _weights(module.encoder), X)
    latent = graph("Squeeze", state[0], np.array([0]))
    hidden = state[0]
    if not module.starts_from_state:
        zeros = _zeros(graph, 1, n_windows, n_channels)
        hidden, *state = _run(graph, _weights(module.decoder), zeros, state)
    outputs = _output(graph, module, hidden)
    n_steps = window_length - 1
    if n_steps and module.linear_feedback:
        inputs = _zeros(graph, n_steps, n_windows, 1)
        hidden, *_ = _run(graph, _folded_weights(module), inputs, state)
        rest = _output(graph, module, hidden)
        outputs = graph("Concat", outputs, rest, axis=0)
    elif n_steps:
        rest = _feed_back(graph, module, outputs, state, n_steps)
        outputs = graph("Concat", outputs, rest, axis=0)
    if module.reverse:
        outputs = graph("Gather", outputs, np.arange(window_length)[::-1], axis=0)
    return graph("Transpose", outputs, perm=[1, 0, 2]), latent


def _feed_back(graph, module, first, state, n_steps):
    """Feed outputs back, step by step; returns the outputs of these steps."""

    def step(body, hidden, cell, last):
        hidden, *state = _run(body, _weights(module.decoder), last, (hidden, cell))
        output = _output(body, module, hidden)
        return *state, output, output

    body = make_loop_body(graph, step, n_states=3)
    arguments = (np.array(n_steps), "", *state, first)
    *_, outputs = graph("Loop", *arguments, n_outputs=4, body=body)
    return graph("Squeeze", outputs, np.array([1]))


def _run(graph, weights, X, state=()):
    """(T, B, C) -> hidden states (T, B, D); the last of them, and cell (1, B, D)."""
    no_lengths = ("",) if state else ()
    hidden, *state = graph(
        "LSTM",
        *(X, *weights, *no_lengths, *state),
        n_outputs=3,
        hidden_size=weights[1].shape[2],
    )
    return graph("Squeeze", hidden, np.array([1])), *state  # of one direction


def _weights(lstm):
    return _in_order(*lstm.parameters())


def _folded_weights(module):
    """Weights with which a linear output needs no feeding back; see `LSTMModule`."""
    decoder, output = module.decoder, module.output_layer
    weight = decoder.weight_ih_l0
    return _in_order(
        weight.new_zeros(len(weight), 1),
        torch.addmm(decoder.weight_hh_l0, weight, output.weight),
        torch.addmv(decoder.bias_ih_l0, weight, output.bias),
        decoder.bias_hh_l0,
    )


def _in_order(*weights):
    """From torch's gates (input, forget, cell, output) to those of the operator."""
    weight, recurrent, *biases = (
        torch.cat([part.chunk(4)[k] for k in (0, 3, 1, 2)])[None] for part in weights
    )
    return weight, recurrent, torch.cat(biases, dim=1)


def _zeros(graph, *shape):
    parts = [n if isinstance(n, str) else np.array([n]) for n in shape]
    return graph("ConstantOfShape", graph("Concat", *parts, axis=0))


def _output(graph, module, hidden):
    """(T, B, D) -> (T, B, C)."""
    layers = (module.output_layer, module.output_activation)
    return _add_layers(graph, layers, hidden)


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
            "but no if or loop that depends on their values or on how many windows "
            f"there are. It says: {error}"
        ) from error
    reconstruction, *latent = graph.include(exported.model_proto, X)
    return reconstruction, latent[0] if latent else None


@contextmanager
def _quiet():
    """Keep to themselves what the tracers print, log and warn of."""
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
