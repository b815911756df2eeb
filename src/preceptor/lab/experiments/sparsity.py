"""L1 makes weights zero, L2 makes them small."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native, Reference
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.handwriting import SIDE, digits
from preceptor.lab.learned import learn
from preceptor.page.chart import figure, frame, keys, within
from preceptor.page.markup import Markup
from preceptor.train import L1, L2, SGD, Adam, Arrays, Config
from preceptor.words import amount

PENALTIES = {"L1": L1, "L2": L2}
STRENGTHS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
ON_DIGITS = {"none": (), "L1": (L1(0.01),), "L2": (L2(0.01),)}
EXACT = 1e-9
X = np.ones(4)
PAIR = {"w1": np.array([1.0, 0, 0, 0]), "w2": np.full(4, 0.25)}  # of the lecture's example


@dataclass(frozen=True, eq=False)
class Sparsity(Figures):
    """Weights under both penalties.

    Args:
        truth: the weights that made the targets; plain: least squares.
        weights: after training, for each of the strengths.
        digits: weights of each class of a softmax of pixels, without and with each penalty.
        errors: share of digits wrong on rows that did not teach.

    Shapes: truth, plain (weight,); weights {penalty: (strength, weight)}; digits {penalty: (8, 8, class)}.
    """

    truth: np.ndarray
    plain: np.ndarray
    weights: dict[str, np.ndarray]
    digits: dict[str, np.ndarray]
    errors: dict[str, float]

    def formula(self, penalty: str) -> np.ndarray:
        """What calculus says. Shapes: -> (strength, weight)."""
        reach = np.array(STRENGTHS)[:, None]
        if penalty == "L1":
            return np.sign(self.plain) * np.maximum(np.abs(self.plain) - reach, 0)
        return self.plain / (1 + reach)

    def zeros(self, penalty: str) -> np.ndarray:
        """How many weights are exactly 0, at each strength. Shapes: -> (strength,)."""
        return (self.weights[penalty] == 0).sum(1)

    def zero_share(self, penalty: str) -> float:
        """The share of the weights of the digits that are exactly 0, of pixels that ever hold ink."""
        used = np.any([each != 0 for each in self.digits.values()], axis=(0, 3))
        return float((self.digits[penalty][used] == 0).mean())

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                amount(strength),
                str(self.zeros("L1")[place]),
                str(self.zeros("L2")[place]),
                amount(np.abs(self.weights["L1"][place]).max()),
                amount(np.abs(self.weights["L2"][place]).max()),
            ]
            for place, strength in enumerate(STRENGTHS)
        ]
        heads = ("λ", "zeros, L1", "zeros, L2", "largest, L1", "largest, L2")
        norms = [
            [name, " ".join(amount(each) for each in w), amount(float(w @ X)), amount(np.abs(w).sum()), amount(w @ w)]
            for name, w in PAIR.items()
        ]
        shares = [
            [name, f"{self.zero_share(name):.1%}", amount(np.abs(weight).max()), f"{self.errors[name]:.1%}"]
            for name, weight in self.digits.items()
        ]
        return [
            Table(f"{len(self.truth)} weights on inputs that are not correlated", heads, rows),
            Table("The lecture's two weights of x = [1 1 1 1]", ("", "weights", "w x", "L1", "L2 squared"), norms),
            Table("Digits told by their pixels", ("penalty", "zeros", "largest weight", "test error"), shares),
        ]

    def claims(self) -> Sequence[Claim]:
        off = {name: float(np.abs(self.weights[name] - self.formula(name)).max()) for name in PENALTIES}
        one, two = (float(np.abs(each).sum()) for each in PAIR.values())
        single, spread = (float(each @ each) for each in PAIR.values())
        most = int(self.zeros("L2")[1:].max())
        return [
            Claim(
                "L1: encouraging sparsity.",
                "D:1765",
                f"On digits {self.zero_share('L1'):.0%} of the weights are exactly 0 with L1, "
                f"{self.zero_share('L2'):.0%} with L2.",
                self.zero_share("L1") > 0.1 and self.zero_share("L2") == 0,
            ),
            Claim(
                "Of two weights with one output, w1 = [1 0 0 0] optimises L1.",
                "D:1770",
                f"Its L1 norm is {amount(one)}, that of w2 is {amount(two)}: L1 prefers neither.",
                one < two,
            ),
            Claim(
                "w2 = [0.25 0.25 0.25 0.25] optimises L2.",
                "D:1772",
                f"Its squares sum to {amount(spread)}, those of w1 to {amount(single)}.",
                spread < single,
            ),
            Claim(
                "On inputs that are not correlated L1 takes λ off each weight, down to 0; L2 divides each by 1 + λ.",
                "closed form",
                f"The trained weights differ from that by at most {amount(off['L1'], 1)} and {amount(off['L2'], 1)}; "
                "L2 made "
                f"{most} of them 0.",
                max(off.values()) < EXACT and most == 0,
            ),
        ]

    def answer(self) -> str:
        place = len(STRENGTHS) // 2
        return (
            f"Under L1: at λ = {amount(STRENGTHS[place])}, {self.zeros('L1')[place]} of {len(self.truth)} weights are "
            f"exactly 0; with L2 {self.zeros('L2')[place]} are. L1 pulls with one force whatever the "
            "weight; L2 pulls less the smaller it is."
        )

    def _path(self, penalty: str) -> Markup:
        order = np.argsort(-np.abs(self.plain))
        shown = {
            f"weight {1 + place}": self.weights[penalty][:, place].tolist()
            for place in order[np.linspace(0, len(order) - 1, 5).astype(int)]
        }
        says = f"at λ = {amount(STRENGTHS[-1])} {self.zeros(penalty)[-1]} of {len(self.truth)} weights are 0"
        return lines(f"Five of the weights over λ: {penalty}", says, STRENGTHS, shown, x_label="λ", y_label="weight")

    def pictures(self) -> Sequence[Markup]:
        found = [self._path(penalty) for penalty in PENALTIES]
        for name, weight in self.digits.items():
            found.append(
                tiles(
                    f"Weights of digits 0 to 4, penalty {name}",
                    [weight[:, :, digit] for digit in range(5)],
                    [str(digit) for digit in range(5)],
                    f"{self.zero_share(name):.0%} are 0 where there is ink; test error {self.errors[name]:.1%}.",
                    side=64,
                )
            )
        return found

    def players(self) -> Sequence[Player]:
        pictures = []
        low, high, _ = within([self.plain.tolist()])
        for place, strength in enumerate(STRENGTHS):
            box = frame((0.5, len(self.truth) + 0.5, False), (low, high, False))
            both = [self.weights[name][place] for name in PENALTIES]
            marks = []
            for values, shift, style in zip(both, (0.08, 0.52), (1, 2), strict=True):
                for number, value in enumerate(values.tolist()):
                    left = number + 0.5 + shift
                    marks.append(box.bars([left, left + 0.4], [value], style))
            title = f"Weights at λ = {amount(strength)}"
            says = "; ".join(f"{name}: {self.zeros(name)[place]} zeros" for name in PENALTIES)
            drawn = box.draw(title, says, *marks, x_label="weight", y_label="value")
            pictures.append(figure(title, drawn, keys(("L1", 1), ("L2", 2)), f"{says}."))
        return [Player("strength", "Over λ", [f"λ = {amount(each)}" for each in STRENGTHS], pictures)]


def sparsity(*, seed: int = 0, weights: int = 12, rows: int = 48, noise: float = 0.3, epochs: int = 15) -> Sparsity:
    """Trains a linear unit on inputs that are not correlated under L1 and L2, and a softmax on digits.

    Formula: 1 / (2 n) sum (x w - y)² + λ sum |w|, or + λ / 2 sum w², where X^T X = n I.
    Args:
        weights: of the linear unit.
        rows: at least as many.
        noise: standard deviation of what is added to its targets.
        epochs: of the trainings on digits.
    Raises: ConfigError for fewer rows than weights, or fewer than 5 weights.
    """
    if not 5 <= weights <= rows:
        raise ConfigError(
            f"lab sparsity: received weights {weights} and rows {rows}; 5 to as many as rows are required."
        )
    rng = np.random.default_rng(seed)
    x = np.sqrt(rows) * np.linalg.qr(rng.normal(size=(rows, weights)))[0]
    truth = np.where(np.arange(weights) < weights // 2, rng.uniform(-1.2, 1.2, weights), 0.0)
    y = x @ truth + noise * rng.normal(size=rows)
    found: dict[str, np.ndarray] = {}
    for name, penalty in PENALTIES.items():
        each = []
        for strength in STRENGTHS:
            config = Config(
                nn.Sequential((nn.Dense(1, bias=False),), ("unit",)), nn.Quadratic(), SGD(), learning_rate=0.4,
                penalties=(penalty(strength),), batch_size=rows, epochs=60, seed=seed, engine=Reference("f64"),
            )  # fmt: skip
            each.append(learn(config, Arrays(x, y)).params["unit/weight"][:, 0])
        found[name] = np.array(each)
    pictures, labels = digits(seed)
    flat, taught = pictures.reshape(len(labels), -1), 1000
    data = Arrays(flat[:taught], labels[:taught], flat[taught:], labels[taught:])
    drawn, errors = {}, {}
    for name, penalties in ON_DIGITS.items():
        config = Config(
            nn.linear_model(10), nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.01, penalties=penalties,
            epochs=epochs, seed=seed, engine=Native("f32"),
        )  # fmt: skip
        learned = learn(config, data)
        weight = next(each for path, each in learned.params.items() if path.endswith("weight"))
        drawn[name], errors[name] = weight.reshape(SIDE, SIDE, -1), learned.dev_error
    return Sparsity(truth, x.T @ y / rows, found, drawn, errors)


EXPERIMENT = Experiment(
    run=sparsity,
    title="L1 makes weights zero, L2 makes them small",
    chapter="Regularisation",
    source="D:1750",
    says=(
        "L2 moves each weight by a share of itself, L1 by the same amount whatever its size. L1 is interpreted as "
        "encouraging sparsity; L2 spreads what it can over many weights."
    ),
    does=(
        "A linear unit learns from inputs that are not correlated, where calculus gives the outcome, under both "
        "penalties; then a softmax learns digits from their pixels."
    ),
    look="Go over λ: the bars of L1 lose the same length until they are gone, those of L2 shrink together.",
    question="Under which penalty will weights be exactly zero?",
    changes=(
        "noise=1: more weights must be pulled to 0 that noise alone had made.",
        "epochs=60: on digits the zeros of L1 stay zero.",
    ),
    errs=(
        "D:1770 lets w1 = [1 0 0 0] optimise L1 beside w2 = [0.25 0.25 0.25 0.25]. Both have the L1 norm 1, so L1 "
        "prefers neither; it makes zeros because near 0 it still pulls with full force. The rule there moves by λ "
        "sgn(w), under which weights swing around 0; here the step is the soft threshold, which stops there."
    ),
)
