"""How the outputs of a network are read once it is trained: what rows that it did not learn from say of that."""

from dataclasses import replace

import numpy as np

from preceptor.nn import Brier, Committee, Loss, MemberLoss, SoftmaxCrossEntropy
from preceptor.nn.calibration import reads_logits, tempered, untempered
from preceptor.nn.member import inner
from preceptor.train.folds import Folds
from preceptor.train.metric import log_of
from preceptor.train.shares import best_shares, can_share
from preceptor.train.temperature import best_temperature
from preceptor.train.training import Config

__all__ = ["fitted_loss", "row_losses"]


def fitted_loss(
    config: Config,
    loss: Loss,
    folds: Folds | None,
    outputs: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
) -> tuple[Loss, Loss]:
    """How outputs are read: the loss with the shares of its networks and the temperature that fit the rows that guide;
    and what reads their own outputs, of which out of fold there are fewer.

    Shapes: outputs (row, unit), or (row, member, unit), of the members that tell a row; y, weight (row,).
    """
    loss = _shared(config, loss, folds, outputs, y, weight)
    if reads_logits(loss):
        loss = tempered(loss, best_temperature(_read_by(loss, folds), outputs, y, weight))
    return loss, _read_by(loss, folds)


def row_losses(reads: Loss, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The loss of each row, of what is predicted for it. Shapes: of `fitted_loss` -> (row,), float64."""
    plain: Loss = untempered(inner(reads))
    if reads_logits(plain):  # of a mean over members a tempered loss knows no loss, but what is predicted has one
        outputs = log_of(np.asarray(reads.predict(outputs)))
        reads = Brier() if isinstance(plain, Brier) else SoftmaxCrossEntropy()
    return np.asarray(reads.judge(outputs, reads.prepared(y, outputs.shape[-1], outputs.dtype)), np.float64)


def _shared(
    config: Config,
    loss: Loss,
    folds: Folds | None,
    outputs: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
) -> Loss:
    """The loss with what each network of a committee counts, where the rows that guide are told by all of them and
    that was not chosen before."""
    network = config.network
    if isinstance(loss, MemberLoss) and loss.shares:
        return loss
    if not isinstance(network, Committee) or not isinstance(loss, MemberLoss) or not can_share(loss):
        return loss
    networks, members = len(network.networks), outputs.shape[1] * (1 if folds is None else folds.count)
    if outputs.shape[1] % networks:
        return loss
    each = members // networks
    shares = best_shares(loss, outputs, target, networks, weight)
    return replace(loss, shares=tuple(share / each for share in shares for _ in range(each)))


def _read_by(loss: Loss, folds: Folds | None) -> Loss:
    """What reads the outputs for the rows that guide: out of fold there are not all members of an ensemble."""
    if folds is None or not isinstance(loss, MemberLoss):
        return loss
    return MemberLoss(loss.loss, shares=tuple(share * folds.count for share in loss.shares[:: folds.count]))
