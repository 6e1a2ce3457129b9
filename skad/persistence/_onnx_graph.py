"""An ONNX graph that is put together node by node."""

import itertools

import numpy as np
import onnx.compose
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper

# Of 2022: nothing here needs a newer one, and old runtimes read it.
OPSET = 18


class Graph:
    """Nodes and constants, in the order in which they are computed.

    Called with the name of an operator and its inputs, it adds a node and returns the
    name of its output. An input is such a name, "" for none, or an array, which becomes
    a constant.

    Parameters
    ----------
    parent : Graph or None, default=None
        The graph around this one, if it is the body of a loop; it holds the constants.
    """

    def __init__(self, parent=None):
        self.nodes = []
        self.constants = {} if parent is None else parent.constants
        self.opset = OPSET
        self._numbers = itertools.count() if parent is None else parent._numbers

    def __call__(self, operator, *inputs, n_outputs=1, **attributes):
        """Add a node; returns the name of its output, or a list of names."""
        names = [self._name_of(value) for value in inputs]
        outputs = [self.new_name(operator) for _ in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, names, outputs, **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def new_name(self, kind):
        """Make a name that nothing else has."""
        return f"{kind}_{next(self._numbers)}"

    def _name_of(self, value):
        if isinstance(value, str):
            return value
        array = np.asarray(value, order="C")
        key = array.dtype, array.shape, array.tobytes()  # equal ones are stored once
        if key not in self.constants:
            name = self.new_name("constant")
            self.constants[key] = numpy_helper.from_array(array, name)
        return self.constants[key].name

    def cast(self, X, dtype):
        """Convert to a type of numpy; a constant is stored as it is."""
        return self("Cast", X, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def include(self, model, X):
        """Add another model with one input, `X`; returns the names of its outputs."""
        model = onnx.inliner.inline_local_functions(model)
        versions = {opset.domain: opset.version for opset in model.opset_import}
        self.opset = max(self.opset, versions[""])
        prefix = self.new_name("module")
        inner = onnx.compose.add_prefix(model, f"{prefix}/").graph
        self.nodes.append(helper.make_node("Identity", [X], [inner.input[0].name]))
        for node in inner.node:  # which lines it comes from, on the maker's machine
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
        self.nodes.extend(inner.node)
        self.constants.update({tensor.name: tensor for tensor in inner.initializer})
        return [output.name for output in inner.output]


def add_loop(graph, n_steps, write, *states):
    """Add a loop over float64 states; returns the names of what comes out of it.

    ``write(body, step, *states)`` adds the nodes of a step to the body; it returns the
    next states and then outputs. Out of the loop come the last states, and the outputs
    of all steps stacked.
    """
    body = Graph(graph)
    step, go_on, *before = (body.new_name("state") for _ in range(2 + len(states)))
    after = write(body, step, *before)
    float64, boolean = (TensorProto.DOUBLE, None), (TensorProto.BOOL, [])
    inputs = [(TensorProto.INT64, []), boolean, *len(states) * [float64]]
    outputs = [boolean, *len(after) * [float64]]
    content = helper.make_graph(
        body.nodes,
        "step",
        _describe([step, go_on, *before], inputs),
        _describe([body("Identity", go_on), *after], outputs),
    )
    arguments = (np.array(n_steps), "", *states)
    return graph("Loop", *arguments, n_outputs=len(after), body=content)


def to_bytes(graph, n_values, score, label, metadata) -> bytes:
    """Serialise a graph with the input X (n_windows, n_values), once checked.

    `score` and `label` (n_windows,) are the names of its outputs within the graph;
    `metadata` holds strings.
    """
    for inside, name in ((score, "score"), (label, "label")):
        graph.nodes.append(helper.make_node("Identity", [inside], [name]))
    each = ["n_windows"]
    opsets = [helper.make_opsetid("", graph.opset)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "skad",
            _describe(["X"], [(TensorProto.DOUBLE, [*each, n_values])]),
            _describe(
                ["score", "label"],
                [(TensorProto.DOUBLE, each), (TensorProto.INT64, each)],
            ),
            list(graph.constants.values()),
        ),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="skad",
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _describe(names, kinds):
    pairs = zip(names, kinds, strict=True)
    return [helper.make_tensor_value_info(name, *kind) for name, kind in pairs]
