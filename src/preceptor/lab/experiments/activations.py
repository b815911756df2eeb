"""Activations drawn, trained and compared; how many outputs of ReLU are zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.following import follow
from preceptor.lab.own_data import DIGITS, labelled
from preceptor.page.chart import Bar, figure, rows
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.words import amount, counted

# The eight of D:826, then the two that the lecture advises against.
KINDS: dict[str, nn.Layer] = {
    "ReLU": nn.Relu(),
    "leaky ReLU": nn.LeakyRelu(0.1),
    "parametric ReLU": nn.ParametricRelu(),
    "softplus": nn.Softplus(),
    "ELU": nn.Elu(),
    "SELU": nn.Selu(),
    "GELU": nn.Gelu(),
    "Swish": nn.Swish(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
}
ROWS, HIDDEN, EPOCHS = 1200, (64, 32), 8


@dataclass(frozen=True, eq=False)
class Activations(Figures):
    """Functions, slopes, and trainings on handwritten digits.

    Args:
        z: where functions and slopes are drawn.
        values, slopes: there; of parametric ReLU with its first slope, 0.25.
        right: share of the test rows recognised, for each seed.
        zeros: share of the hidden outputs that are exactly 0, before and after training, mean of the seeds.
        means: mean hidden output after training.

    Shapes: z (point,); values, slopes (point,), right (seed,), zeros (2,), for each activation.
    """

    z: np.ndarray
    values: dict[str, np.ndarray]
    slopes: dict[str, np.ndarray]
    right: dict[str, np.ndarray]
    zeros: dict[str, np.ndarray]
    means: dict[str, float]
    material: Material = DIGITS

    def tables(self) -> Sequence[Table]:
        found = [
            [
                name,
                amount(100 * float(np.median(self.right[name])), 3),
                amount(100 * self.right[name].min(), 3),
                amount(100 * self.right[name].max(), 3),
                amount(100 * self.zeros[name][0], 3),
                amount(100 * self.zeros[name][1], 3),
                amount(self.means[name], 2),
            ]
            for name in self.right
        ]
        heads = (
            "activation", "test rows right, %: median", "least", "most", "zeros before, %", "zeros after, %",
            "mean output",
        )  # fmt: skip
        return [Table(f"{self.material.title}, {counted(len(self.right['ReLU']), 'seed')}", heads, found)]

    def claims(self) -> Sequence[Claim]:
        zeros = {name: float(each[1]) for name, each in self.zeros.items()}
        others = max(each for name, each in zeros.items() if name != "ReLU")
        median = {name: float(np.median(each)) for name, each in self.right.items()}
        best = max(median, key=lambda name: median[name])
        eight = [median[name] for name in list(KINDS)[:8]]
        soft = float(np.abs(self.values["softplus"] - np.log1p(np.exp(self.z))).max())
        return [
            Claim(
                "ReLU sparsifies outputs.",
                "E:720",
                f"After training {amount(100 * zeros['ReLU'], 3)} % of its hidden outputs are exactly 0, before "
                f"{amount(100 * self.zeros['ReLU'][0], 3)} %; of the others at most {amount(100 * others, 3)} %.",
                zeros["ReLU"] > 0.1 and others < 0.01,
            ),
            Claim(
                "Its soft version is log(exp(x) + 1).",
                "E:717",
                f"Softplus differs from it by at most {amount(soft, 1)}, and from ReLU by at most "
                f"{amount(float(np.abs(self.values['softplus'] - self.values['ReLU']).max()))}, at 0.",
                soft < 1e-12,
            ),
            Claim(
                "ELU has close to zero mean outputs.",
                "D:821",
                f"After training its mean is {amount(self.means['ELU'], 2)}, that of ReLU "
                f"{amount(self.means['ReLU'], 2)}.",
                abs(self.means["ELU"]) < 0.5 * self.means["ReLU"],
            ),
            Claim(
                "Use ReLU; try leaky ReLU or ELU; try tanh, but don't expect much.",
                "D:839",
                f"tanh tells {amount(100 * median['tanh'], 3)} %, ReLU {amount(100 * median['ReLU'], 3)} %; the eight "
                "lie "
                f"between {amount(100 * min(eight), 3)} and {amount(100 * max(eight), 3)} %, and the best is {best}.",
                median["tanh"] < min(median[name] for name in ("ReLU", "leaky ReLU", "ELU")),
            ),
            Claim(
                "Don't use sigmoid.",
                "D:842",
                f"Sigmoid tells {amount(100 * median['sigmoid'], 3)} %, "
                f"{amount(100 * (median['ReLU'] - median['sigmoid']), 2)} "
                "points less than ReLU.",
                median["sigmoid"] < min(eight),
            ),
        ]

    def answer(self) -> str:
        return (
            f"{amount(100 * self.zeros['ReLU'][1], 3)} % of them, after {amount(100 * self.zeros['ReLU'][0], 3)} % at "
            "first. All others together have at most "
            f"{amount(100 * max(float(self.zeros[name][1]) for name in list(KINDS)[1:]), 2)} %."
        )

    def pictures(self) -> Sequence[Markup]:
        names = list(KINDS)
        bars = [
            Bar(name, 100 * float(np.median(each)), 100 * float(each.min()), 100 * float(each.max()))
            for name, each in self.right.items()
        ]
        low = min(each.low or 0.0 for each in bars)
        title = "Test rows right, %: median, least and most"
        says = "; ".join(f"{each.label}: {amount(each.value or 0.0, 3)}" for each in bars)
        return [
            self._curves("Four of them", names[:4], self.values, "g(z)"),
            self._curves("Four more", names[4:8], self.values, "g(z)"),
            figure(title, rows(title, says, bars, (low - 1, 100.0), are_dots=True)),
        ]

    def players(self) -> Sequence[Player]:
        pictures = [
            self._curves(name, ["function", "slope"], {"function": self.values[name], "slope": self.slopes[name]}, "")
            for name in KINDS
        ]
        return [Player("each", "Each with its slope", list(KINDS), pictures)]

    def _curves(self, title: str, names: Sequence[str], of: dict[str, np.ndarray], label: str) -> Markup:
        says = "; ".join(f"{name}: {amount(of[name][0], 3)} to {amount(of[name][-1], 3)}" for name in names)
        return lines(
            title,
            says,
            self.z.tolist(),
            {name: of[name].tolist() for name in names},
            x_label="z",
            y_label=label,
            y=(-2.0, 4.0),
        )


def activations(*, seed: int = 0, seeds: int = 3, data: Any = None, target: Any = None) -> Activations:
    """Draws ten activations and their slopes, and trains one network with each on handwritten digits.

    Formula: Adam, rate 0.003, batches of 32 of 1,200 digits, 8 epochs, hidden layers of 64 and 32 units, He's first
        weights, softmax cross-entropy, float32; tested on the other 597 digits.
    Args:
        seeds: networks of each kind, seed, seed + 1, ...
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    """
    z = np.linspace(-4, 4, 161)
    values, slopes = {}, {}
    for name, layer in KINDS.items():
        params = {"slope": np.array([0.25])} if isinstance(layer, nn.ParametricRelu) else {}

        def function(x: Any, layer: nn.Layer = layer, params: dict[str, Any] = params) -> Any:
            return layer.apply(params, {}, x[:, None], train=False, key=None)[0][:, 0]

        values[name] = np.asarray(function(z))
        slopes[name] = pr.grad(lambda x, function=function: pr.sum(function(x)))(z)
    rows_of = labelled(data, target, "activations")
    (x, y), rows = rows_of.drawn(seed), rows_of.taught(ROWS)
    right, zeros, means = {}, {}, {}
    for name, layer in KINDS.items():
        network = nn.mlp(HIDDEN, len(rows_of.classes), activation=layer, initialiser=nn.He())
        assert isinstance(network, nn.Sequential)
        shares, nothing, middle = [], [], []
        for each in range(seed, seed + seeds):
            config = Config(
                network, nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.003, batch_size=32, epochs=EPOCHS, seed=each,
                engine=Native("f32"),
            )  # fmt: skip
            trail = follow(config, Arrays(x[:rows], y[:rows]))
            first, last = (_hidden(network, params, x[rows:]) for params in (trail.params[0], trail.params[-1]))
            outputs, _ = network.apply(trail.params[-1], {}, x[rows:], train=False, key=None)
            shares.append(float((np.asarray(outputs).argmax(1) == y[rows:]).mean()))
            nothing.append([float((first == 0).mean()), float((last == 0).mean())])
            middle.append(float(last.mean()))
        right[name], zeros[name] = np.array(shares), np.mean(nothing, 0)
        means[name] = float(np.mean(middle))
    return Activations(z, values, slopes, right, zeros, means, rows_of.material)


def _hidden(network: nn.Sequential, params: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """All outputs of hidden units, of both layers, as one line of numbers."""
    kinds = tuple(type(each) for each in KINDS.values())
    found = [
        np.asarray(out).ravel() for _, layer, out in nn.layer_outputs(network, params, {}, x) if type(layer) in kinds
    ]
    return np.concatenate(found)


EXPERIMENT = Experiment(
    run=activations,
    title="Eight activations compared, and the zeros of ReLU",
    chapter="Activation functions",
    source="D:826",
    says=(
        "ReLU, leaky ReLU, parametric ReLU, softplus, ELU, SELU, GELU, Swish: accuracy on CIFAR-10. Use ReLU; try "
        "leaky ReLU or ELU; try tanh, but don't expect much; don't use sigmoid. ReLU sparsifies outputs."
    ),
    does=(
        "The eight, and tanh and sigmoid beside them, are drawn with their slopes; then one network learns handwritten "
        "digits with each, over several seeds."
    ),
    look="How close the ten lie to each other; who puts out exact zeros; whose outputs lie around zero.",
    question="After training, what share of ReLU's hidden outputs is exactly zero?",
    changes=("seeds=10: whether the order of the eight is more than luck.", "seed=3: other digits are tested."),
)
