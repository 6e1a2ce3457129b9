"""Reconstruction losses and latent penalties."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class ReconstructionLoss(nn.Module):
    """Squared error of the reconstruction, plus a penalty on the latent code.

    ``reduction="mean"`` averages the squared errors over every value of the batch,
    "sum" adds them up (the loss of the ECG study). In evaluation "sum" is scaled to
    `batch_size` windows, however large the batch, so that every window weighs the same
    in a validation loss.

    The penalty, with its `kl_weight`, is always a mean over the batch; see `latent_kl`
    for `kl_prior`. The noise of "random" is drawn from the generator in training. In
    evaluation its expectation is taken: noise would choose the best epoch.
    """

    def __init__(
        self,
        reduction="mean",
        kl_weight=0.0,
        kl_prior="uniform",
        generator=None,
        batch_size=64,
    ):
        super().__init__()
        self.batch_size = batch_size
        self.reduction = reduction
        self.kl_weight = kl_weight
        self.kl_prior = kl_prior
        self.generator = generator

    def forward(self, output, target):
        """Loss of what a module returned: a reconstruction, or (it, latent)."""
        reconstruction, latent = split_output(output)
        loss = F.mse_loss(reconstruction, target, reduction=self.reduction)
        if self.reduction == "sum" and not self.training:
            loss = loss * (self.batch_size / len(target))
        if self.kl_weight == 0:
            return loss
        generator = self.generator if self.training else None
        return loss + self.kl_weight * latent_kl(latent, self.kl_prior, generator)


def split_output(output):
    """Reconstruction and latent (None if there is none) of a module's output."""
    return output if isinstance(output, tuple) else (output, None)


def latent_kl(latent, prior, generator) -> torch.Tensor:
    """Divergence between the softmax p of the latent code and a prior, a batch mean.

    ``prior="uniform"``: KL(u || p) = -log D - mean_d log p_d with u = 1 / D.
    ``prior="random"``: sum_d U_d (log U_d - log p_d) with U drawn uniformly from
    [0, 1) at every call, as the ECG study has it, or without a generator its
    expectation -D / 4 - sum_d log p_d / 2. U does not sum to one.

    `latent` is (B, D), before its activation: log_softmax is stable where the
    logarithm of a softmax is not.
    """
    log_p = F.log_softmax(latent, dim=1)
    if prior == "uniform":
        return -math.log(latent.shape[1]) - log_p.mean()
    if generator is None:
        return -latent.shape[1] / 4 - log_p.sum(dim=1).mean() / 2
    noise = torch.rand(latent.shape, generator=generator).to(latent.device)
    return F.kl_div(log_p, noise, reduction="batchmean")
