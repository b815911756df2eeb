"""Batch normalisation: what goes into sigmoid units, their gradients, and what it bears."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.learned import learn
from preceptor.lab.own_data import DIGITS, labelled
from preceptor.nn.layer import within
from preceptor.page.chart import figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import SGD, Arrays, Config
from preceptor.words import amount

WAYS = {"without": False, "with": True}
RATES = (0.01, 0.1, 1.0, 10.0)
SIGMAS = (0.02, 0.15, 1.0)  # of the first weights
SATURATED = 4.0  # beyond it a sigmoid's slope is below a tenth of its largest
EDGES = np.linspace(-12, 12, 49)
DONE = 0.1  # training error of what counts as learned


def network_of(layers: int, units: int, sigma: float, has_norm: bool, classes: int = 10) -> nn.Sequential:
    """Sigmoid layers of one width, with batch normalisation before each sigmoid or without."""
    parts: list[tuple[str, nn.Layer]] = []
    for number in range(1, layers + 1):
        parts.append((f"hidden{number}", nn.Dense(units, initialiser=nn.Gaussian(sigma))))
        if has_norm:
            parts.append((f"norm{number}", nn.BatchNorm()))
        parts.append((f"sigmoid{number}", nn.Sigmoid()))
    parts.append(("output", nn.Dense(classes, initialiser=nn.Gaussian(sigma))))
    return nn.Sequential(tuple(layer for _, layer in parts), tuple(name for name, _ in parts))


@dataclass(frozen=True, eq=False)
class BatchNorm(Figures):
    """Before the first step of a deep network, and trainings of a less deep one.

    Args:
        counts: {way: of each layer, how many inputs of its sigmoids lie between each two of EDGES}.
        saturated: {way: of each layer, the share of them beyond SATURATED}.
        gradients: {way: of each layer, root of the mean square of the gradient of its weights}.
        worst_mean, worst_variance: farthest from 0 and 1, of the normalised inputs of a batch.
        identity: how far a norm with scale sqrt(variance + epsilon) and shift mean moves the numbers.
        fixed: by how much a row's output outside training depends on the other rows.
        losses, errors: {way: training loss and error at the end, by first values and rate}.
        curves: {way: loss of each epoch, at the rate that was best for the way in the middle of SIGMAS}.

    Shapes: counts (layer, bin); saturated, gradients (layer,); losses, errors (sigma, rate); curves (epoch,).
    """

    sigma: float
    counts: dict[str, np.ndarray]
    saturated: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    worst_mean: float
    worst_variance: float
    identity: float
    fixed: float
    losses: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    classes: int = 10
    material: Material = DIGITS

    def learned(self, way: str) -> int:
        """How many of the settings learned."""
        return int((self.errors[way] < DONE).sum())

    def tables(self) -> Sequence[Table]:
        inside = [
            [
                str(1 + layer),
                *(f"{self.saturated[way][layer]:.0%}" for way in WAYS),
                *(amount(self.gradients[way][layer], 2) for way in WAYS),
            ]
            for layer in range(len(self.gradients["with"]))
        ]
        heads = ("layer", "saturated, without", "with", "gradient, without", "with")
        trained = [
            [f"σ = {amount(sigma)}, {way}", *(f"{each:.1%}" for each in self.errors[way][place])]
            for place, sigma in enumerate(SIGMAS)
            for way in WAYS
        ]
        return [
            Table(f"Before the first step, first weights of σ = {amount(self.sigma)}", heads, inside),
            Table("Training error", ("first weights, norm", *(f"rate {amount(rate)}" for rate in RATES)), trained),
        ]

    def claims(self) -> Sequence[Claim]:
        shares = {way: float(each.mean()) for way, each in self.saturated.items()}
        ratio = {way: float(each[0] / each[-1]) for way, each in self.gradients.items()}
        epochs = {way: self._until_half(way) for way in WAYS}
        count = len(SIGMAS) * len(RATES)
        return [
            Claim(
                "Of a batch each feature has mean 0 and variance 1.",
                "D:1212",
                f"They are at most {amount(self.worst_mean, 1)} and {amount(self.worst_variance, 1)} off; the "
                "variance by the "
                "epsilon below the root.",
                self.worst_mean < 1e-9 and self.worst_variance < 1e-2,
            ),
            Claim(
                "The network can learn a scale and a shift that recover the identity.",
                "D:1246",
                f"With them the numbers move by at most {amount(self.identity, 2)}.",
                self.identity < 1e-9,
            ),
            Claim(
                "At test time a single fixed mean and deviation are used.",
                "D:1289",
                f"A row's output changes by {amount(self.fixed)} when the other rows of the batch change.",
                self.fixed == 0,
            ),
            Claim(
                "It keeps most activations away from saturation.",
                "D:1316",
                f"Beyond {amount(SATURATED)} lie {shares['without']:.0%} of the sigmoids' inputs without it, "
                f"{shares['with']:.1%} with it.",
                shares["with"] < 0.1 < shares["without"],
            ),
            Claim(
                "It prevents exploding and vanishing gradients.",
                "D:1315",
                f"The gradient of the first layer's weights is {amount(ratio['without'], 2)} times that of the last "
                f"hidden layer's without it, {amount(ratio['with'], 2)} times with it.",
                bool(abs(np.log(ratio["with"])) < abs(np.log(ratio["without"]))),
            ),
            Claim(
                "It accelerates convergence.",
                "D:1317",
                f"At the rate that is best for each, half of the first loss is gone after {_epochs(epochs['with'])} "
                "with "
                f"it, {_epochs(epochs['without'])} without.",
                epochs["with"] is not None and (epochs["without"] is None or epochs["with"] < epochs["without"]),
            ),
            Claim(
                "It makes training more robust with respect to hyperparameters and first weights.",
                "D:1318",
                f"Of {count} pairs of rate and first weights {self.learned('with')} come below {DONE:.0%} training "
                "error "
                f"with it, {self.learned('without')} without.",
                self.learned("with") > self.learned("without"),
            ),
        ]

    def _until_half(self, way: str) -> int | None:
        below = np.flatnonzero(self.curves[way] < np.log(self.classes) / 2)
        return int(below[0]) + 1 if len(below) else None

    def answer(self) -> str:
        ratio = {way: float(each[0] / each[-1]) for way, each in self.gradients.items()}
        return (
            f"Without it the first layer's is {amount(ratio['without'], 2)} times that of the last hidden layer, with "
            "it "
            f"{amount(ratio['with'], 2)} times; and {self.saturated['with'][0]:.0%} of that layer's sigmoids are "
            "saturated in place of "
            f"{self.saturated['without'][0]:.0%}."
        )

    def pictures(self) -> Sequence[Markup]:
        layers = range(1, 1 + len(self.gradients["with"]))
        powers = [float(np.log10(rate)) for rate in RATES]
        return [
            lines(
                "Gradient of each layer's weights before the first step",
                "; ".join(f"{way}: {amount(each[0], 2)} in layer 1" for way, each in self.gradients.items()),
                layers,
                {f"{way} batch norm": each.tolist() for way, each in self.gradients.items()},
                x_label="layer",
                y_label="root of mean square",
                is_log=True,
            ),
            lines(
                "Loss, each way at its best rate",
                "; ".join(f"{way}: {amount(each[-1])} nats at the end" for way, each in self.curves.items()),
                range(1, 1 + len(self.curves["with"])),
                {f"{way} batch norm": each.tolist() for way, each in self.curves.items()},
                x_label="epoch",
                y_label="loss (nats)",
            ),
            *(
                lines(
                    f"Training error {way} batch norm",
                    f"{self.learned(way)} of {self.errors[way].size} settings come below {DONE:.0%}",
                    powers,
                    {f"σ = {amount(sigma)}": self.errors[way][place].tolist() for place, sigma in enumerate(SIGMAS)},
                    x_label="rate, power of ten",
                    y_label="share wrong",
                    y=(0.0, 1.0),
                )
                for way in WAYS
            ),
        ]

    def players(self) -> Sequence[Player]:
        pictures = []
        most = float(max(each.max() for each in self.counts.values()))
        for layer in range(len(self.gradients["with"])):
            box = frame((float(EDGES[0]), float(EDGES[-1]), False), (0.0, most, False))
            middles = ((EDGES[:-1] + EDGES[1:]) / 2).tolist()
            marks = [
                box.line(middles, self.counts[way][layer].tolist(), style)
                for way, style in (("with", 1), ("without", 2))
            ]
            title = f"What goes into the sigmoids of layer {layer + 1}"
            says = "; ".join(f"{way}: {self.saturated[way][layer]:.0%} saturated" for way in WAYS)
            drawn = box.draw(title, says, *marks, x_label="input of the sigmoid", y_label="how many")
            pictures.append(figure(title, drawn, keys(("with", 1), ("without", 2)), f"{says.capitalize()}."))
        return [Player("layers", "Layer by layer", [f"layer {1 + each}" for each in range(len(pictures))], pictures)]


def _epochs(count: int | None) -> str:
    return "more epochs than were made" if count is None else f"{count} epochs"


def batch_norm(
    *,
    seed: int = 0,
    sigma: float = 1.0,
    layers: int = 5,
    units: int = 64,
    rows: int = 600,
    epochs: int = 15,
    data: Any = None,
    target: Any = None,
) -> BatchNorm:
    """Looks into a deep sigmoid network with batch normalisation and without, and trains a less deep one many ways.

    Formula: y = scale (x - mean) / sqrt(variance + epsilon) + shift, of each batch; before the sigmoid.
    Args:
        sigma: of the first weights of the network that is looked into.
        layers, units: of it; the trained one has two hidden layers of `units`.
        rows: digits that teach.
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    """
    rows_of = labelled(data, target, "batch-norm")
    taught, classes = rows_of.taught(rows), len(rows_of.classes)
    x, y = (each[:taught] for each in rows_of.drawn(seed))
    x = x.astype(np.float64)
    counts: dict[str, np.ndarray] = {}
    saturated, gradients = {}, {}
    for way, has_norm in WAYS.items():
        network = network_of(layers, units, sigma, has_norm, classes)
        params, state = network.init(np.random.default_rng(seed), pr.ops.Spec(x.shape, np.dtype(np.float64)))
        params = {path: np.asarray(each, np.float64) for path, each in params.items()}
        inputs = sigmoid_inputs(network, params, state, x)
        counts[way] = np.array([np.histogram(each, EDGES)[0] for each in inputs])
        saturated[way] = np.array([(np.abs(each) > SATURATED).mean() for each in inputs])
        grads = pr.grad(lambda p, n=network, s=state: _mean_loss(n, p, s, x, y))(params)
        gradients[way] = np.array(
            [np.sqrt(np.square(grads[f"hidden{number}/weight"]).mean()) for number in range(1, 1 + layers)]
        )
    worst_mean = max(float(np.abs(each.mean(0)).max()) for each in inputs)  # of the last way, with
    worst_variance = max(float(np.abs(each.var(0) - 1).max()) for each in inputs)
    losses, errors, curves = _trainings(seed, units, x, y, epochs, classes)
    return BatchNorm(
        sigma, counts, saturated, gradients, worst_mean, worst_variance, _identity(x),
        _fixed(network, params, state, x), losses, errors, curves, classes,
        rows_of.material,
    )  # fmt: skip


def sigmoid_inputs(network: nn.Sequential, params: dict, state: dict, x: np.ndarray) -> list[np.ndarray]:
    """What each sigmoid layer receives in training. Shapes: (row, feature) -> (row, unit) each."""
    found = []
    for name, layer in zip(network.names, network.layers, strict=True):
        if isinstance(layer, nn.Sigmoid):
            found.append(np.asarray(x))
        x, _ = layer.apply(within(params, name), within(state, name), x, train=True, key=None)
    return found


def _mean_loss(network: nn.Layer, params: dict, state: dict, x: np.ndarray, y: np.ndarray) -> object:
    outputs, _ = network.apply(params, state, x, train=True, key=None)
    return pr.mean(nn.SoftmaxCrossEntropy()(outputs, y))


def _identity(x: np.ndarray) -> float:
    """How far the numbers move under a scale and a shift that undo the normalisation."""
    layer = nn.BatchNorm()
    own = {"scale": np.sqrt(x.var(0) + layer.epsilon), "shift": x.mean(0)}
    state = {"mean": np.zeros(x.shape[1]), "variance": np.ones(x.shape[1])}
    return float(np.abs(np.asarray(layer.apply(own, state, x, train=True, key=None)[0]) - x).max())


def _fixed(network: nn.Layer, params: dict, state: dict, x: np.ndarray) -> float:
    """By how much the first row's output changes, outside training, when the other rows do."""
    first, other = x[:8], np.concatenate([x[:1], x[8:15]])
    one, two = (np.asarray(network.apply(params, state, each, train=False, key=None)[0])[0] for each in (first, other))
    return float(np.abs(one - two).max())


def _trainings(
    seed: int, units: int, x: np.ndarray, y: np.ndarray, epochs: int, classes: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    losses, errors, curves = {}, {}, {}
    data = Arrays(x.astype(np.float32), y)
    for way, has_norm in WAYS.items():
        found = []
        for sigma in SIGMAS:
            for rate in RATES:
                config = Config(
                    network_of(2, units, sigma, has_norm, classes), nn.SoftmaxCrossEntropy(), SGD(), learning_rate=rate,
                    epochs=epochs, seed=seed, engine=Native("f32"),
                )  # fmt: skip
                found.append(learn(config, data))
        shape = (len(SIGMAS), len(RATES))
        losses[way] = np.array([each.train_losses[-1] for each in found]).reshape(shape)
        errors[way] = np.array([each.train_error for each in found]).reshape(shape)
        middle = len(SIGMAS) // 2
        best = int(np.nanargmin(losses[way][middle]))
        curves[way] = found[middle * len(RATES) + best].losses
    return losses, errors, curves


EXPERIMENT = Experiment(
    run=batch_norm,
    title="Batch normalisation, inside and out",
    chapter="Normalisation",
    source="D:1200",
    says=(
        "If activations of unit variance are wanted, just make them so: each feature is normalised over the batch, "
        "then "
        "scaled and shifted by learned numbers. Activations stay away from saturation, training is quicker and bears "
        "more rates and first weights."
    ),
    does=(
        "A deep sigmoid network with large first weights is looked into before its first step, with batch "
        "normalisation "
        "before each sigmoid and without. Then smaller ones learn digits from many rates and first weights."
    ),
    look="Go through the layers: without it the inputs of the sigmoids lie far out, where the slope is nearly 0.",
    question="How does the gradient of the first layer compare with that of the last hidden one, without and with it?",
    changes=(
        "sigma=0.1: first weights of about 1/√D saturate nothing, yet the gradient fades from layer to layer.",
        "layers=10: deeper, and the difference grows.",
    ),
)
