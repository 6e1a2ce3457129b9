"""An ONNX graph, built node by node."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx.compose
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper

# From 2022: nothing here needs a newer one, and old runtimes can read it.
OPSET = 18


class Graph:
    """Nodes and constants, in the order in which they are computed.

    Call it with the name of an operator and its inputs to add a node; it returns the
    name of the output. An input is such a name, "" for none, or an array, which becomes
    a constant. The constants of the body of a loop are held by its `parent`.
    """

    def __init__(self, parent: "Graph | None" = None):
        self.nodes: list[Any] = []
        self.constants: dict = parent.constants if parent else {}
        self.opset = OPSET
        self._numbers: Iterator[int] = parent._numbers if parent else itertools.count()

    def __call__(self, operator, *inputs, n_outputs=1, **attributes) -> Any:
        """Add a node; returns the name of its output, or a list of names."""
        names = [self._name_of(value) for value in inputs]
        outputs = [self.new_name(operator) for _ in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, names, outputs, **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def new_name(self, kind: str) -> str:
        """Make a name that is not used yet."""
        return f"{kind}_{next(self._numbers)}"

    def _name_of(self, value):
        if isinstance(value, str):
            return value
        array = np.asarray(value, order="C")
        key = array.dtype, array.shape, array.tobytes()  # stores equal ones once
        if key not in self.constants:
            name = self.new_name("constant")
            self.constants[key] = numpy_helper.from_array(array, name)
        return self.constants[key].name

    def cast(self, X, dtype) -> str:
        """Convert to a dtype of numpy; a constant is stored as it is, and then cast."""
        return self("Cast", X, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def include(self, model: Any, X: str) -> list[str]:
        """Add another model with one input, `X`; returns the names of its outputs."""
        model = onnx.inliner.inline_local_functions(model)
        versions = {opset.domain: opset.version for opset in model.opset_import}
        self.opset = max(self.opset, versions[""])
        prefix = self.new_name("module")
        inner = onnx.compose.add_prefix(model, f"{prefix}/").graph
        self.nodes.append(helper.make_node("Identity", [X], [inner.input[0].name]))
        for node in inner.node:  # metadata hold paths of this machine
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
        self.nodes.extend(inner.node)
        self.constants.update({tensor.name: tensor for tensor in inner.initializer})
        return [output.name for output in inner.output]


def add_loop(graph, n_steps, add_step, *states) -> list[str]:
    """Add a loop over float64 states; returns the names of its outputs.

    ``add_step(body, step, *states)`` adds the nodes of a step to the body, and returns
    the next states and then the outputs of the step. The outputs of the loop are the
    last states, and the outputs of all steps stacked.
    """
    body = Graph(graph)
    step, condition, *before = (body.new_name("state") for _ in range(2 + len(states)))
    after = add_step(body, step, *before)
    inputs = _describe([step], TensorProto.INT64, shape=[])
    inputs += _describe([condition], TensorProto.BOOL, shape=[])
    inputs += _describe(before, TensorProto.DOUBLE, shape=None)
    outputs = _describe([body("Identity", condition)], TensorProto.BOOL, shape=[])
    outputs += _describe(after, TensorProto.DOUBLE, shape=None)
    content = helper.make_graph(body.nodes, "step", inputs, outputs)
    arguments = (np.array(n_steps), "", *states)
    return graph("Loop", *arguments, n_outputs=len(after), body=content)


def to_bytes(graph, n_values, score, label, metadata) -> bytes:
    """Check and serialise a graph with the input X (n_windows, n_values).

    `score` and `label` (n_windows,) are the names of its outputs within the graph;
    `metadata` holds strings.
    """
    for inside, name in ((score, "score"), (label, "label")):
        graph.nodes.append(helper.make_node("Identity", [inside], [name]))
    inputs = _describe(["X"], TensorProto.DOUBLE, ["n_windows", n_values])
    outputs = _describe(["score"], TensorProto.DOUBLE, ["n_windows"])
    outputs += _describe(["label"], TensorProto.INT64, ["n_windows"])
    constants = list(graph.constants.values())
    opsets = [helper.make_opsetid("", graph.opset)]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "skad", inputs, outputs, constants),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="skad",
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _describe(names, dtype, shape):
    return [helper.make_tensor_value_info(name, dtype, shape) for name in names]
