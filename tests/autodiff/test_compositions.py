"""Random programs of primitives, value and gradient in float64, beside torch.autograd and beside the other engine."""

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import preceptor as pr

torch = pytest.importorskip("torch", reason="the outside source of this test is PyTorch: pip install preceptor[peers]")
torch.set_num_threads(1)

TOLERANCE = 1e-10  # of the largest number among the value and all gradients
GAP = 1e-6  # kinks closer than this are left out: rounding would decide on which side they are
LARGEST = 30.0  # larger values are drawn in by tanh
MOST_ELEMENTS = 48

# name: (ours, PyTorch's); arguments are brought into the domain inside
ONE = {
    "sin": (pr.sin, torch.sin),
    "cos": (pr.cos, torch.cos),
    "tanh": (pr.tanh, torch.tanh),
    "sigmoid": (pr.sigmoid, torch.sigmoid),
    "softplus": (pr.softplus, lambda x: torch.logaddexp(x, torch.zeros_like(x))),
    "log_sigmoid": (pr.log_sigmoid, torch.nn.functional.logsigmoid),
    "erf": (pr.erf, torch.erf),
    "exp": (lambda x: pr.exp(pr.tanh(x)), lambda x: torch.exp(torch.tanh(x))),
    "expm1": (lambda x: pr.expm1(pr.sin(x)), lambda x: torch.expm1(torch.sin(x))),
    "log": (lambda x: pr.log(x * x + 0.5), lambda x: torch.log(x * x + 0.5)),
    "log1p": (lambda x: pr.log1p(x * x), lambda x: torch.log1p(x * x)),
    "sqrt": (lambda x: pr.sqrt(x * x + 0.3), lambda x: torch.sqrt(x * x + 0.3)),
    "negative": (pr.negative, torch.neg),
    "square": (pr.square, torch.square),
    "cube": (lambda x: x**3, lambda x: x**3),
    "reciprocal": (lambda x: (x * x + 1) ** -1, lambda x: 1 / (x * x + 1)),
    "number": (lambda x: 1.5 * x - 0.25, lambda x: 1.5 * x - 0.25),
    "stop_gradient": (lambda x: x * pr.stop_gradient(x), lambda x: x * x.detach()),
}
TWO = {
    "add": (pr.add, torch.add),
    "subtract": (pr.subtract, torch.sub),
    "multiply": (pr.multiply, torch.mul),
    "divide": (lambda x, y: x / (y * y + 0.5), lambda x, y: x / (y * y + 0.5)),
    "power": (lambda x, y: pr.power(x * x + 0.3, pr.sin(y)), lambda x, y: torch.pow(x * x + 0.3, torch.sin(y))),
}
TWO_WITH_KINKS = {
    "maximum": (pr.maximum, torch.maximum),
    "minimum": (pr.minimum, torch.minimum),
    "where": (lambda x, y: pr.where(x < y, x * y, y), lambda x, y: torch.where(x < y, x * y, y)),
}
ALONG_AXES = {
    "sum": (lambda x, a, k: pr.sum(x, a, k), lambda x, a, k: torch.sum(x, a, k)),
    "mean": (lambda x, a, k: pr.mean(x, a, k), lambda x, a, k: torch.mean(x, a, k)),
    "variance": (lambda x, a, k: pr.variance(x, a, k), lambda x, a, k: torch.var(x, a, correction=0, keepdim=k)),
    "logsumexp": (lambda x, a, k: pr.logsumexp(x, a, k), lambda x, a, k: torch.logsumexp(x, a, k)),
}
ALONG_AXES_WITH_KINKS = {
    "max": (lambda x, a, k: pr.max(x, a, k), lambda x, a, k: torch.amax(x, a, k)),
    "min": (lambda x, a, k: pr.min(x, a, k), lambda x, a, k: torch.amin(x, a, k)),
}


class Composition:
    """A program that grows step by step on both sides: at once in PyTorch, as a list of functions for ours."""

    def __init__(self, seeds: list[int]) -> None:
        self.steps: list[tuple[str, Callable | None, tuple[int, ...]]] = []
        self.pool: list[Any] = []
        self.leaves: list[Any] = []
        random = Random(seeds[0])
        self.leaf(random, self.shape(random))
        for seed in seeds:
            self.grow(Random(seed))

    def shape(self, random: Random) -> tuple[int, ...]:
        return tuple(random.choice((1, 2, 3)) for _ in range(random.randrange(4)))

    def leaf(self, random: Random, shape: tuple[int, ...]) -> int:
        numbers = [random.uniform(-2, 2) for _ in range(math.prod(shape))]
        self.leaves.append(torch.tensor(numbers, dtype=torch.float64).reshape(shape).requires_grad_())
        return self.keep("leaf", None, (), self.leaves[-1])

    def keep(self, name: str, ours: Callable | None, reads: tuple[int, ...], value: Any) -> int:
        self.steps.append((name, ours, reads))
        self.pool.append(value)
        return len(self.pool) - 1

    def add(self, name: str, reads: tuple[int, ...], ours: Callable, theirs: Callable) -> None:
        value = theirs(*(self.pool[i] for i in reads))
        if value.numel() > MOST_ELEMENTS:
            return
        made = self.keep(name, ours, reads, value)
        if value.numel() and value.detach().abs().max() > LARGEST:
            self.keep("tanh", pr.tanh, (made,), torch.tanh(value))

    def grow(self, random: Random) -> None:
        i = random.randrange(max(0, len(self.pool) - 3), len(self.pool))
        kinds = (
            self.one,
            self.one,
            self.two,
            self.two,
            self.reduce,
            self.move,
            self.index,
            self.product,
            self.normalise,
        )
        random.choice(kinds)(random, i)

    def one(self, random: Random, i: int) -> None:
        x = self.pool[i]
        if random.random() < 0.2 and x.detach().abs().min() > GAP:
            name, ours, theirs = random.choice((("abs", pr.abs, torch.abs), ("relu", pr.relu, torch.relu)))
        else:
            name = random.choice(list(ONE))
            ours, theirs = ONE[name]
        self.add(name, (i,), ours, theirs)

    def partner(self, random: Random, i: int) -> int:
        """Something that broadcasts with value i: an earlier value, or a new leaf with axes dropped or of length 1."""
        shape = tuple(self.pool[i].shape)
        fitting = [j for j, other in enumerate(self.pool) if _broadcasts(shape, tuple(other.shape))]
        if random.random() < 0.5:
            return random.choice(fitting)
        return self.leaf(random, tuple(random.choice((n, n, 1)) for n in shape[random.randrange(len(shape) + 1) :]))

    def two(self, random: Random, i: int) -> None:
        pair = (i, self.partner(random, i))
        pair = pair[::-1] if random.random() < 0.5 else pair
        x, y = (self.pool[k].detach() for k in pair)
        table = TWO_WITH_KINKS if random.random() < 0.3 and (x - y).abs().min() > GAP else TWO
        name = random.choice(list(table))
        self.add(name, pair, *table[name])

    def reduce(self, random: Random, i: int) -> None:
        x = self.pool[i]
        axes = tuple(random.sample(range(-x.ndim, 0), random.randint(1, x.ndim))) if x.ndim else None
        if axes is None:
            return self.one(random, i)
        keep = random.random() < 0.5
        flat = torch.sort(x.detach().flatten())[0]
        distinct = flat.numel() < 2 or (flat[1:] - flat[:-1]).min() > GAP
        table = ALONG_AXES_WITH_KINKS if random.random() < 0.4 and distinct else ALONG_AXES
        name = random.choice(list(table))
        ours, theirs = table[name]
        return self.add(name, (i,), lambda x: ours(x, axes, keep), lambda x: theirs(x, axes, keep))

    def normalise(self, random: Random, i: int) -> None:
        if not self.pool[i].ndim:
            return self.one(random, i)
        axis = random.randrange(-self.pool[i].ndim, 0)
        if random.random() < 0.5:
            return self.add("softmax", (i,), lambda x: pr.softmax(x, axis), lambda x: torch.softmax(x, axis))
        return self.add("log_softmax", (i,), lambda x: pr.log_softmax(x, axis), lambda x: torch.log_softmax(x, axis))

    def move(self, random: Random, i: int) -> None:
        x = self.pool[i]
        shape, kind = tuple(x.shape), random.randrange(6)
        if kind == 0:
            to = random.choice(((-1,), (1, *shape), (*shape, 1), shape[::-1], (x.numel(), 1)))
            self.add("reshape", (i,), lambda x: pr.reshape(x, to), lambda x: x.reshape(to))
        elif kind == 1:
            axes = tuple(random.sample(range(len(shape)), len(shape)))
            self.add("transpose", (i,), lambda x: pr.transpose(x, axes), lambda x: x.permute(axes))
        elif kind == 2:
            to = (random.choice((1, 2)), *(n if n != 1 else random.choice((1, 3)) for n in shape))
            self.add("broadcast_to", (i,), lambda x: pr.broadcast_to(x, to), lambda x: x.expand(to))
        elif kind == 3:
            widths = [(random.randrange(2), random.randrange(2)) for _ in shape]
            flat = [n for pair in widths[::-1] for n in pair]
            self.add(
                "pad", (i,), lambda x: pr.pad(x, widths), lambda x: torch.nn.functional.pad(x, flat) if flat else x
            )
        elif kind == 4 and shape:
            axis = random.randrange(len(shape))
            self.add("flip", (i,), lambda x: pr.flip(x, axis), lambda x: torch.flip(x, (axis,)))
        else:
            j = random.choice([k for k, other in enumerate(self.pool) if tuple(other.shape) == shape])
            axis = random.randrange(len(shape) + 1)
            self.add("stack", (i, j), lambda *xs: pr.stack(xs, axis), lambda *xs: torch.stack(xs, axis))
            if axis < len(shape):
                self.add("concatenate", (j, i), lambda *xs: pr.concatenate(xs, axis), lambda *xs: torch.cat(xs, axis))

    def index(self, random: Random, i: int) -> None:
        x = self.pool[i]
        if not x.ndim:
            return self.add("new axis", (i,), lambda x: x[None, ..., None], lambda x: x[None, ..., None])
        axis, kind = random.randrange(x.ndim), random.randrange(5)
        length = x.shape[axis]
        before = (slice(None),) * axis
        picks = np.array([random.randrange(-length, length) for _ in range(random.randint(1, 4))])
        wrapped = torch.tensor(picks % length)
        if kind == 0:
            key = (*before, random.randrange(-length, length))
            return self.add("entry", (i,), lambda x: x[key], lambda x: x[key])
        if kind == 1:
            key = (*before, slice(random.randrange(length), None, random.choice((1, 2))))
            return self.add("slice", (i,), lambda x: x[key], lambda x: x[key])
        if kind == 2:
            every = torch.arange(length - 1, -1, -2)
            key = (*before, slice(None, None, -2))
            return self.add("slice back", (i,), lambda x: x[key], lambda x: torch.index_select(x, axis, every))
        if kind == 3:
            return self.add(
                "take", (i,), lambda x: pr.take(x, picks, axis), lambda x: torch.index_select(x, axis, wrapped)
            )
        targets = np.array([random.randrange(-3, 3) for _ in range(length)])
        shape = (*x.shape[:axis], 3, *x.shape[axis + 1 :])
        return self.add(
            "scatter_add",
            (i,),
            lambda x: pr.scatter_add(x, targets, 3, axis),
            lambda x: torch.zeros(shape, dtype=torch.float64).index_add(axis, torch.tensor(targets % 3), x),
        )

    def product(self, random: Random, i: int) -> None:
        x = self.pool[i]
        if not x.ndim:
            return self.one(random, i)
        inner, outer = x.shape[-1], random.choice((1, 2, 3))
        lead = random.choice(((), (), (1,), tuple(x.shape[:-2])))
        shape = random.choice(((inner,), (*lead, inner, outer), (*lead, inner, outer)))
        return self.add("matmul", (i, self.leaf(random, shape)), pr.matmul, torch.matmul)

    def run(self, leaves: list) -> Any:
        """Our side: the value of the program, from its leaves."""
        rest, pool = iter(leaves), []
        for _, ours, reads in self.steps:
            pool.append(next(rest) if ours is None else ours(*(pool[i] for i in reads)))
        total = 0.0
        for value in pool[-3:]:
            total = total + pr.sum(value * _weights(tuple(value.shape)))
        return total

    def expected(self) -> list[np.ndarray]:
        """PyTorch's value and gradients."""
        total = sum((value * torch.from_numpy(_weights(tuple(value.shape)))).sum() for value in self.pool[-3:])
        gradients = torch.autograd.grad(total, self.leaves, allow_unused=True)
        return [total.detach().numpy()] + [
            (torch.zeros_like(leaf) if gradient is None else gradient).detach().numpy()
            for leaf, gradient in zip(self.leaves, gradients, strict=True)
        ]

    def arrays(self) -> list[np.ndarray]:
        return [leaf.detach().numpy() for leaf in self.leaves]

    def __str__(self) -> str:
        return "\n".join(
            f"%{n} = {name} {reads} {tuple(self.pool[n].shape)}" for n, (name, _, reads) in enumerate(self.steps)
        )


def _broadcasts(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(shape[::-1], other[::-1], strict=False))


def _weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.cos(np.arange(math.prod(shape)) + 0.5).reshape(shape)


def error(results: list, expected: list) -> float:
    """Largest difference, of the largest number among the expected ones and 1e-3."""
    scale = max(1e-3, *(float(np.max(np.abs(each), initial=0)) for each in expected))
    assert [each.shape for each in results] == [each.shape for each in expected]
    return max(float(np.max(np.abs(a - b), initial=0)) for a, b in zip(results, expected, strict=True)) / scale


def check(seeds: list[int]) -> None:
    composition = Composition(seeds)
    value, gradients = pr.value_and_grad(composition.run)(composition.arrays())
    worst = error([value, *gradients], composition.expected())
    assert worst <= TOLERANCE, f"{worst:.1e}\n{composition}"


seeds = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9)
common = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@given(seeds)
@settings(common, max_examples=300)
def test_three_hundred_compositions_agree_with_pytorch(seeds):
    check(seeds)


@pytest.mark.slow
@given(seeds)
@settings(common, max_examples=10_000)
def test_ten_thousand_compositions_agree_with_pytorch(seeds):
    check(seeds)


@pytest.mark.parametrize("batch", range(2))
def test_compositions_agree_on_all_engines(batch):
    random = Random(batch)
    many = [Composition([random.randrange(2**32) for _ in range(7)]) for _ in range(12)]
    function = lambda args: [pr.value_and_grad(each.run)(leaves) for each, leaves in zip(many, args, strict=True)]
    given = [each.arrays() for each in many]
    first, *rest = (pr.jit(function, engine=engine)(given) for engine in ("reference", "native", "xla"))
    for results in rest:
        for composition, (value, gradients), (other, others) in zip(many, first, results, strict=True):
            worst = error([value, *gradients], [other, *others])
            assert worst <= 1e-12, f"{worst:.1e}\n{composition}"
