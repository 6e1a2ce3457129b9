"""One-layer LSTM whose activated outputs are its next inputs, exactly and fast.

No function of torch feeds outputs back through a nonlinearity, and a loop of its cells
spends its time on many small operations and the graph that autograd keeps of them. Here
a step is ten operations forwards and seven backwards, in memory allocated beforehand.
"""

import torch
from torch import nn
from torch.autograd.function import once_differentiable

# Activations that can write into given memory instead of new memory.
_INTO = {nn.Sigmoid: torch.sigmoid, nn.Tanh: torch.tanh}


def feed_back(lstm, output_layer, activation, first, state, n_steps):
    """Run `n_steps` steps from LSTM to output to LSTM; returns (B, n_steps, C).

    `first` (B, 1, C) is the first step's input, `state` the LSTM's state before it, and
    `activation` works element by element, such as a sigmoid.
    """
    hidden, cell = state[0][0], state[1][0]
    # tanh(a) = 2 sigmoid(2 a) - 1, and a sigmoid is several times as fast on a CPU. So
    # the gates are one sigmoid if the weights of the third (of input, forget, cell,
    # output) are doubled, and we keep 2 c and h / 2. Powers of two: nothing is rounded.
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0)[:, None]
    weight = torch.cat([2 * lstm.weight_hh_l0, bias, lstm.weight_ih_l0], dim=1)
    doubled = weight.new_tensor([1.0, 1.0, 2.0, 1.0]).repeat_interleave(cell.shape[1])
    output_bias = output_layer.bias[:, None]
    output_weight = torch.cat([2 * output_layer.weight, output_bias], dim=1)
    start = torch.cat([hidden / 2, hidden.new_ones(len(hidden), 1), first[:, 0]], dim=1)
    arguments = (doubled[:, None] * weight, output_weight, start.T, 2 * cell.T)
    if torch.is_grad_enabled():
        outputs = _FeedBack.apply(*arguments, activation, n_steps)
    else:
        outputs = activation(_run(*arguments, activation, n_steps)[0])
    return outputs.permute(2, 0, 1)


def _run(weight, output_weight, start, cell, activation, n_steps, *, keep=False):
    """Run the steps; returns logits (T, C, B) and what the gradient needs of them.

    That is, with `keep`, what the net held before the first step and after each: h / 2,
    one (for the biases) and the input, jointly; 2 c; the gates; and sigmoid(2 c) - 1/2.
    Windows come last: every gate is then one stretch of memory, and a window is rounded
    the same way anywhere in the block.
    """
    n_hidden, n_windows = cell.shape
    sizes = [len(start), n_hidden, 4 * n_hidden, n_hidden]
    held = cell.new_zeros(sum(sizes), n_windows)
    joint, cell_now, gates, squashed = held.split(sizes)
    joint.copy_(start)
    cell_now.copy_(cell)
    in_gate, forget, new, out_gate = gates.chunk(4)
    hidden, hidden_and_one = joint[:n_hidden], joint[: n_hidden + 1]
    inputs = joint[n_hidden + 1 :]
    half = cell.new_tensor(0.5)
    activate = _INTO.get(type(activation), lambda x, out: out.copy_(activation(x)))
    logits = cell.new_empty(n_steps, len(output_weight), n_windows)
    history = held.new_empty(n_steps + 1 if keep else 0, *held.shape)
    history[:1] = held
    for step, logit in enumerate(logits.unbind(), start=1):
        torch.mm(weight, joint, out=gates).sigmoid_()
        new.sub_(half)
        cell_now.mul_(forget).addcmul_(in_gate, new, value=4)
        torch.sigmoid(cell_now, out=squashed).sub_(half)
        torch.mul(out_gate, squashed, out=hidden)
        torch.mm(output_weight, hidden_and_one, out=logit)
        activate(logit, out=inputs)
        if keep:
            history[step] = held
    return logits, history.split(sizes, dim=1)


class _FeedBack(torch.autograd.Function):
    """`_run` with backpropagation through time by hand.

    The derivatives of all steps are made at once, the recurrence adds them up, and the
    weights' gradients are one product over all steps.
    """

    @staticmethod
    def forward(ctx, weight, output_weight, start, cell, activation, n_steps):
        logits, history = _run(
            weight, output_weight, start, cell, activation, n_steps, keep=True
        )
        with torch.enable_grad():
            outputs = activation(logits.requires_grad_())
            (slope,) = torch.autograd.grad(outputs.sum(), logits)
        ctx.save_for_backward(weight, output_weight, slope, *history)
        return outputs.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_outputs):
        weight, output_weight, slope, joint, cell, gates, squashed = ctx.saved_tensors
        n_hidden = cell.shape[1]
        gates, squashed = gates[1:].unflatten(1, (4, n_hidden)), squashed[1:]
        in_gate, forget, new, out_gate = gates.unbind(1)
        # Derivatives of the cell by the arguments of three gates, of h by that of the
        # fourth, and of h by the cell. `new` and `squashed` are sigmoids less a half.
        by_gates = torch.addcmul(gates, gates, gates, value=-1)  # g (1 - g)
        by_gates[:, 0].mul_(new).mul_(4)
        by_gates[:, 1].mul_(cell[:-1])
        torch.addcmul(in_gate, in_gate * new, new, value=-4, out=by_gates[:, 2])
        by_gates[:, 3].mul_(squashed)
        hidden = joint[1:, :n_hidden]
        by_cell = torch.addcmul(out_gate / 4, hidden, squashed, value=-1)
        grad_logits = grad_outputs * slope
        grad_gates = by_gates.flatten(1, 2)
        grad_joint, grad_cell = torch.zeros_like(joint[0]), torch.zeros_like(cell[0])
        grad_hidden, grad_inputs = grad_joint[:n_hidden], grad_joint[n_hidden + 1 :]
        to_joint, to_hidden = weight.T, output_weight[:, :n_hidden].T
        steps = (grad_logits, slope, by_cell, by_gates[:, 3], by_gates[:, :3], forget)
        for logit, slope_now, cell_slope, out, others, kept, all_gates in zip(
            *(tensor.unbind()[::-1] for tensor in (*steps, grad_gates)), strict=True
        ):
            logit.addcmul_(grad_inputs, slope_now)
            grad_hidden.addmm_(to_hidden, logit)
            grad_cell.addcmul_(grad_hidden, cell_slope)
            out.mul_(grad_hidden)
            others.mul_(grad_cell)
            grad_cell.mul_(kept)
            torch.mm(to_joint, all_gates, out=grad_joint)
        # Products of all steps, added up; transposed they are slower.
        before, after = joint[:-1], joint[1:, : n_hidden + 1]
        grad_weight = torch.addbmm(weight.T, before, grad_gates.mT, beta=0).T
        grad_output = torch.addbmm(output_weight.T, after, grad_logits.mT, beta=0).T
        return grad_weight, grad_output, grad_joint, grad_cell, None, None
