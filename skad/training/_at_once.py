"""How many windows a net reconstructs at once: more are faster, if no bit changes."""

import torch

from skad._proven import first_proven
from skad.training._losses import split_output
from skad.training._random import torch_generator
from skad.training._torch_state import standard_torch

# Values of windows, and at least so many, that are compared bit by bit.
_N_VALUES = 2**14


def windows_at_once(net, most: int, fewest: int) -> int:
    """Choose `most` windows at once if they come out as when `fewest` are, or `fewest`.

    `most` is a multiple of `fewest`. Matrix products may be rounded in another way when
    they are larger. So a module like the net's is tried, with weights and windows that
    are drawn, on one thread or as many as are in use.
    """
    if net.device != "cpu":
        return fewest
    prefix = "module__"
    given = sorted((n, v) for n, v in vars(net).items() if n.startswith(prefix))
    params = tuple((name.removeprefix(prefix), value) for name, value in given)
    settings = (torch.get_num_threads(), torch.get_float32_matmul_precision())
    return first_proven(
        (most, fewest), _same_bits, fewest, net.module, params, settings
    )


def _same_bits(most, fewest, module_class, params, *settings):
    """Whether windows come out alike, `most` or `fewest` at once."""
    params, generator = dict(params), torch.Generator().manual_seed(0)
    shape = (most, params["window_length"], params["n_channels"])
    with standard_torch(inference=True):
        with torch_generator(generator):
            module = module_class(**params).eval()
        for weights in module.parameters():  # layers that start at zero round nothing
            std = 0.1 if weights.dim() == 1 else weights[0].numel() ** -0.5
            weights.normal_(0, std, generator=generator)
        for _ in range(-(-_N_VALUES // (most * shape[1] * shape[2]))):
            X = torch.randn(shape, generator=generator)
            parts = [split_output(module(part)) for part in X.split(fewest)]
            for whole, pieces in zip(
                split_output(module(X)), zip(*parts, strict=True), strict=True
            ):
                if whole is not None and not torch.equal(whole, torch.cat(pieces)):
                    return False
    return True
