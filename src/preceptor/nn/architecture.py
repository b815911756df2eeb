"""Ready networks."""

from collections.abc import Sequence
from functools import partial

from preceptor.errors import ConfigError
from preceptor.nn.activation import Activation, Relu
from preceptor.nn.dense import Dense
from preceptor.nn.dropout import DropConnect, Dropout
from preceptor.nn.ensemble import Committee
from preceptor.nn.initialiser import Constant, He, Initialiser, Xavier
from preceptor.nn.layer import Layer, Sequential
from preceptor.nn.member import EachMember, MemberDense, Members
from preceptor.nn.norm import BatchNorm
from preceptor.nn.tabular import Levels, PiecewiseLinear, Waves

__all__ = ["linear_model", "mlp"]

DROPOUTS = ("inverted", "vanilla", "connect")


def linear_model(outputs: int, *, initialiser: Initialiser | None = None) -> Sequential:
    """One affine layer: linear and logistic regression, the perceptron, by the loss it is given.

    Its weights begin at zero unless an initialiser is given. Zero is safe here: without a hidden layer the cost is
    convex, and no two units see the same gradient.
    """
    return Sequential((Dense(outputs, initialiser=initialiser or Constant(0.0)),), ("output",))


def mlp(
    hidden: Sequence[int],
    outputs: int,
    *,
    activation: Layer | Sequence[Layer] | None = None,
    initialiser: Initialiser | None = None,
    drop_rate: float = 0.0,
    dropout: str = "inverted",
    batch_norm: bool = False,
    members: int = 1,
    waves: int = 0,
    numbers: Sequence[int] = (),
    edges: Sequence[Sequence[float]] = (),
    levels: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> Layer:
    """A multilayer perceptron: for each hidden width Dense, batch norm and activation and dropout, then Dense.

    Args:
        hidden: widths of the hidden layers; none makes a linear model.
        outputs: width of the last layer, which has no activation (the loss works on logits).
        activation: a layer used after each hidden one, or one for each of them; Relu by default.
        initialiser: of all weights; without it He's of the hidden ones, Xavier's of the last, for no rectifier follows.
        dropout: what a drop rate drops: "inverted" and "vanilla" (see nn.Dropout) outputs of the hidden layers,
            "connect" (nn.DropConnect) their weights.
        members: so many networks of these widths side by side, trained as one under `MemberLoss`. Whatever a layer
            has, each of them has for itself.
        waves: how many waves each of the features at the positions `numbers` is given beside itself (nn.Waves).
        edges: of the bins of the features at these positions, which are given beside them too (nn.PiecewiseLinear);
            without them there are no bins. Several members with bins are an nn.Committee of two networks: the first
            half have the bins, the second half the waves, if any.
        levels: positions of the features that are numbers of levels, and how many levels each of them has.
    """
    if dropout not in DROPOUTS:
        raise ConfigError(f"mlp: dropout is {dropout!r}; it must be one of {', '.join(DROPOUTS)}.")
    given = [Relu() if activation is None else activation] if not isinstance(activation, Sequence) else [*activation]
    activations = given * len(hidden) if len(given) == 1 else given
    if len(activations) != len(hidden):
        raise ConfigError(
            f"mlp: received {len(given)} activations for {len(hidden)} hidden layers; one for each is required, or one "
            "for all."
        )
    binned = [(number, tuple(each)) for number, each in zip(numbers, edges, strict=False) if len(each) > 1]
    bins = PiecewiseLinear(tuple(number for number, _ in binned), tuple(each for _, each in binned)) if binned else None
    make = partial(
        _network,
        hidden=hidden,
        outputs=outputs,
        activations=activations,
        initialiser=initialiser,
        drop_rate=drop_rate,
        dropout=dropout,
        batch_norm=batch_norm,
        numbers=numbers,
        levels=levels,
    )
    if bins is None or members == 1:
        return make(members=members, bins=bins, waves=waves)
    half = members // 2
    return Committee((make(members=half, bins=bins, waves=0), make(members=members - half, bins=None, waves=waves)))


def _network(
    *,
    hidden: Sequence[int],
    outputs: int,
    activations: Sequence[Layer],
    initialiser: Initialiser | None,
    drop_rate: float,
    dropout: str,
    batch_norm: bool,
    members: int,
    waves: int,
    numbers: Sequence[int],
    bins: PiecewiseLinear | None,
    levels: tuple[Sequence[int], Sequence[int]],
) -> Sequential:
    """What `mlp` makes of members that are alike; arguments as there."""
    parts: list[tuple[str, Layer]] = []

    def each(layer: Layer) -> Layer:
        """The layer as members have it: one of its own each, where it is more than a function of single features."""
        return EachMember(layer) if members > 1 and not isinstance(layer, Activation | Dropout) else layer

    if bins is not None:
        parts.append(("bins", bins))
    if members > 1:
        parts.append(("members", Members(members, untouched=tuple(levels[0]))))
    if waves and numbers:
        parts.append(("waves", each(Waves(tuple(numbers), waves=waves))))
    if levels[0]:
        parts.append(("levels", each(Levels(tuple(levels[0]), tuple(levels[1])))))

    def dense(units: int, own: Initialiser) -> Layer:
        drawn = initialiser or own
        return MemberDense(units, drawn) if members > 1 else Dense(units, initialiser=drawn)

    for number, (width, unit) in enumerate(zip(hidden, activations, strict=True), 1):
        layer = dense(width, He())
        if drop_rate and dropout == "connect":
            layer = each(DropConnect(width, initialiser=initialiser or He(), drop_rate=drop_rate))
        parts.append((f"hidden{number}", layer))
        if batch_norm:
            parts.append((f"norm{number}", each(BatchNorm())))
        parts.append((f"activation{number}", each(unit)))
        if drop_rate and dropout != "connect":
            parts.append((f"dropout{number}", Dropout(drop_rate, inverted=dropout == "inverted")))
    parts.append(("output", dense(outputs, Xavier())))
    return Sequential(tuple(layer for _, layer in parts), tuple(name for name, _ in parts))
