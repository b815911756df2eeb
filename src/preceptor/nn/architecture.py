"""Ready networks."""

from collections.abc import Sequence

from preceptor.nn.activation import Relu
from preceptor.nn.dense import Dense
from preceptor.nn.dropout import Dropout
from preceptor.nn.initialiser import Constant, Initialiser, Xavier
from preceptor.nn.layer import Layer, Sequential
from preceptor.nn.norm import BatchNorm
from preceptor.nn.tabular import Levels, MemberDense, Members, Waves

__all__ = ["linear_model", "mlp"]


def linear_model(outputs: int) -> Sequential:
    """One affine layer from zero weights: linear and logistic regression, the perceptron, by the loss it is given.

    Zero is safe here: without a hidden layer the cost is convex, and no two units see the same gradient.
    """
    return Sequential((Dense(outputs, initialiser=Constant(0.0)),), ("output",))


def mlp(
    hidden: Sequence[int],
    outputs: int,
    *,
    activation: Layer | None = None,
    initialiser: Initialiser | None = None,
    drop_rate: float = 0.0,
    batch_norm: bool = False,
    members: int = 1,
    waves: int = 0,
    numbers: Sequence[int] = (),
    levels: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> Sequential:
    """A multilayer perceptron: for each hidden width Dense, batch norm and activation and dropout, then Dense.

    Args:
        hidden: widths of the hidden layers; none makes a linear model.
        outputs: width of the last layer, which has no activation (the loss works on logits).
        activation: a layer used after each hidden one; Relu by default.
        initialiser: of the hidden weights; without it each Dense layer's own (He). The last layer takes Xavier's, for
            no rectifier follows it.
        members: so many networks of these widths side by side, trained as one under `MemberLoss`.
        waves: how many waves each of the features at the positions `numbers` is given beside itself.
        levels: positions of the features that are numbers of levels, and how many levels each of them has.
    """
    dense = MemberDense if members > 1 else Dense
    parts: list[tuple[str, Layer]] = []
    if waves and numbers:
        parts.append(("waves", Waves(tuple(numbers), waves=waves)))
    if levels[0]:
        parts.append(("levels", Levels(tuple(levels[0]), tuple(levels[1]))))
    if members > 1:
        parts.append(("members", Members(members)))
    for number, width in enumerate(hidden, 1):
        parts.append((f"hidden{number}", dense(width, initialiser=initialiser) if initialiser else dense(width)))
        if batch_norm:
            parts.append((f"norm{number}", BatchNorm()))
        parts.append((f"activation{number}", activation or Relu()))
        if drop_rate:
            parts.append((f"dropout{number}", Dropout(drop_rate)))
    parts.append(("output", dense(outputs, initialiser=Xavier())))
    return Sequential(tuple(layer for _, layer in parts), tuple(name for name, _ in parts))
