"""What is measured, as plain data: networks, batch sizes, and how many steps one measurement takes.

All workloads: softmax cross-entropy over integer labels, Adam (learning rate 1e-3, beta1 0.9, beta2 0.999,
epsilon 1e-8), no weight decay, mini-batches drawn by index from rows in memory, reshuffled every epoch.

A layer is a dictionary with its `kind`; a contestant refuses kinds it does not know. A variant of a workload is
`dataclasses.replace(workload, name=..., ...)`, added to WORKLOADS.

Kinds: dense (units, activation), convolution (filters, window, stride, padding (before, after) on each axis of space,
groups, bias), batch-norm (running averages that keep `decay` a step, 0.9 unless told otherwise; epsilon, else 1e-5),
layer-norm (over the channels), relu, relu6, gelu, max-pool (window, stride), mean-pool (over all places), branch and
add (what was at the branch is added, or what the layers between beside and add make of it), local-response-norm (the
five neighbours, alpha 1e-4 not divided by five, beta 0.75, k 2), dropout (drop_rate, inverted), flatten. Pictures are
(height, width, channel), signals (place, channel).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
SEED = 20_240_607
LABEL_FEATURES = 4096  # of a row, that its label is made of: a linear map of large pictures to 1,000 classes is huge


class Unavailable(Exception):
    """A contestant cannot do this workload or precision here; the message says why."""


@dataclass(frozen=True)
class Workload:
    """One network and its training.

    Args:
        input_shape: shape of one row, without the batch axis.
        layers: descriptions in order; the last one's units are the classes.
        batch: rows per step.
        steps: steps per epoch; there are `steps * batch` rows.
        epochs: epochs per measurement, so that it takes about 0.5 to 2 s for a contestant of middling speed.
        whole: epochs of a whole training: as many steps as a hundred passes over 8,192 rows for xor and 1,474 digits,
            ten over MNIST's 60,000 and three over CIFAR's 50,000 pictures; a few for others.
        labels: "linear": the largest of random linear maps of the row; "xor": whether the two signs differ.
        network: the project's own constructor of the network that `layers` describes: "mlp", "cnn", "alexnet" or
            "efficientnet-lite0"; "layers" where they are put together one by one.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[dict, ...]
    batch: int
    steps: int
    epochs: int
    labels: str = "linear"
    network: str = "mlp"
    whole: int = 20

    @property
    def rows(self) -> int:
        return self.steps * self.batch

    @property
    def classes(self) -> int:
        return self.layers[-1]["units"]


def dense(*widths: int) -> tuple[dict, ...]:
    """Describes dense layers, all ReLU but the last, which gives the logits."""
    hidden = tuple({"kind": "dense", "units": units, "activation": "relu"} for units in widths[:-1])
    return (*hidden, {"kind": "dense", "units": widths[-1], "activation": None})


RELU, RELU6, GELU, FLATTEN, MEAN_POOL = ({"kind": kind} for kind in ("relu", "relu6", "gelu", "flatten", "mean-pool"))
BATCH_NORM, LAYER_NORM = {"kind": "batch-norm"}, {"kind": "layer-norm"}
BRANCH, BESIDE, ADD = {"kind": "branch"}, {"kind": "beside"}, {"kind": "add"}


def convolution(filters: int, window: int = 3, **more) -> dict:
    """Describes a convolution that keeps the size of the picture, unless told otherwise."""
    plain = {"stride": 1, "padding": (window // 2, window // 2), "groups": 1, "bias": True}
    return {"kind": "convolution", "filters": filters, "window": window} | plain | more


def max_pool(window: int, stride: int) -> dict:
    """Describes a largest value over windows without padding."""
    return {"kind": "max-pool", "window": window, "stride": stride}


def cnn(classes: int, drop_rate: float = 0.0) -> tuple[dict, ...]:
    """Describes `nn.cnn`: twice convolution, norm, ReLU and pool, then two dense layers, dropout between them."""
    normed = [(convolution(n, bias=False), {"kind": "batch-norm"}, RELU, max_pool(2, 2)) for n in (32, 64)]
    first, last = dense(128, classes)
    dropout = ({"kind": "dropout", "drop_rate": drop_rate},) if drop_rate else ()
    return (*normed[0], *normed[1], FLATTEN, first, *dropout, last)


def alexnet(classes: int) -> tuple[dict, ...]:
    """Describes `nn.alexnet`: five convolutions, three dense layers, local response normalisation and dropout."""
    pool, norm, dropout = max_pool(3, 2), {"kind": "local-response-norm"}, {"kind": "dropout", "drop_rate": 0.5}
    first = convolution(96, 11, stride=4, padding=(1, 2))
    middle = (convolution(384), RELU, convolution(384, groups=2), RELU, convolution(256, groups=2), RELU, pool)
    six, seven, last = dense(4096, 4096, classes)
    dense_part = (FLATTEN, six, dropout, seven, dropout, last)
    return (first, RELU, norm, pool, convolution(256, 5, groups=2), RELU, norm, pool, *middle, *dense_part)


class MobileNet:
    """Describes networks of depthwise and 1 x 1 convolutions, each normed, while the side of the picture is known:
    paddings are TensorFlow's "same". Args: decay: of the norms' running averages."""

    def __init__(self, side: int, decay: float = 0.99) -> None:
        self.side, self.decay, self.layers = side, decay, []

    def add(self, filters: int, window: int = 1, *, stride: int = 1, groups: int = 1, active: bool = True) -> None:
        """Appends a convolution and its norm, and ReLU6 where it is active."""
        out = -(-self.side // stride)
        total = max((out - 1) * stride + window - self.side, 0)
        padding, self.side = (total // 2, total - total // 2), out
        self.layers.append(convolution(filters, window, stride=stride, padding=padding, groups=groups, bias=False))
        self.layers.append({"kind": "batch-norm", "decay": self.decay, "epsilon": 1e-3})
        if active:
            self.layers.append(RELU6)

    def finished(self, classes: int, drop_rate: float = 0.0) -> tuple[dict, ...]:
        dropout = ({"kind": "dropout", "drop_rate": drop_rate},) if drop_rate else ()
        return (*self.layers, MEAN_POOL, *dropout, *dense(classes))


# Of EfficientNet-Lite0: times wider within a block, window, stride of the first block, filters, blocks.
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
          (6, 3, 1, 320, 1))  # fmt: skip


def efficientnet_lite0(classes: int, side: int = 224, drop_rate: float = 0.2, decay: float = 0.99) -> tuple[dict, ...]:
    """Describes `nn.efficientnet_lite0`, where neither rate nor decay is changed."""
    net, channels = MobileNet(side, decay), 32
    net.add(channels, 3, stride=2)
    for expand, window, first, filters, blocks in STAGES:
        for block in range(blocks):
            stride, wide = (first if block == 0 else 1), channels * expand
            same = stride == 1 and channels == filters
            net.layers += [BRANCH] if same else []
            if expand > 1:
                net.add(wide)
            net.add(wide, window, stride=stride, groups=wide)
            net.add(filters, active=False)
            net.layers += [ADD] if same else []
            channels = filters
    net.add(1280)
    return net.finished(classes, drop_rate)


def depthwise(classes: int, side: int) -> tuple[dict, ...]:
    """Describes a small network of depthwise convolutions of both windows and both strides."""
    net, channels = MobileNet(side), 32
    net.add(channels, 3)
    for window, stride, filters in ((3, 1, 64), (3, 2, 128), (5, 1, 128), (5, 2, 256)):
        net.add(channels, window, stride=stride, groups=channels)
        net.add(filters)
        channels = filters
    return net.finished(classes)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("xor-mlp", (2,), dense(10, 2), batch=32, steps=256, epochs=12, labels="xor", whole=100),
        Workload("digits-mlp", (64,), dense(64, 10), batch=32, steps=128, epochs=16, whole=36),
        Workload("mnist-mlp", (784,), dense(512, 256, 10), batch=128, steps=100, epochs=2, whole=47),
        Workload("wide-mlp", (784,), dense(2048, 2048, 10), batch=256, steps=10, epochs=1),
        # Six 4096 x 4096 layers and, because a loss over 4,096 classes would measure the loss, ten outputs.
        Workload("deep4096", (4096,), dense(*[4096] * 6, 10), batch=16, steps=5, epochs=1),
        Workload("digits-cnn", (8, 8, 1), cnn(10), batch=64, steps=64, epochs=4, network="cnn"),
        Workload("mnist-cnn", (28, 28, 1), cnn(10), batch=64, steps=32, epochs=1, network="cnn"),
        Workload("cifar-cnn", (32, 32, 3), cnn(10), batch=64, steps=32, epochs=1, network="cnn", whole=73),
        Workload("alexnet", (224, 224, 3), alexnet(1000), batch=16, steps=2, epochs=1, network="alexnet"),
        Workload("depthwise", (32, 32, 3), depthwise(10, 32), batch=64, steps=8, epochs=1, network="layers"),
        Workload(
            "efficientnet-lite0",
            (224, 224, 3),
            efficientnet_lite0(1000),
            batch=16,
            steps=2,
            epochs=1,
            network="efficientnet-lite0",
        ),
    )
}


@dataclass(frozen=True)
class Task:
    """A workload with the data and the initial values that every contestant shares."""

    workload: Workload
    precision: str
    engine: str
    seed: int = 0

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Draws inputs (rows, *input_shape), standard normal float32, and labels (rows,), int64.

        A tenth of the labels is replaced by random ones: a network that fits everything has gradients so small that
        they become subnormal numbers, which slow some libraries down and not others.
        """
        workload, rng = self.workload, np.random.default_rng(SEED)
        x = rng.standard_normal((workload.rows, *workload.input_shape), dtype=np.float32)
        flat = x.reshape(workload.rows, -1)
        if workload.labels == "xor":
            y = ((flat[:, 0] > 0) ^ (flat[:, 1] > 0)).astype(np.int64)
        else:
            seen = flat[:, :LABEL_FEATURES]
            y = np.argmax(seen @ rng.standard_normal((seen.shape[1], workload.classes), dtype=np.float32), axis=1)
        noisy = rng.random(workload.rows) < 0.1
        return x, np.where(noisy, rng.integers(0, workload.classes, workload.rows), y)

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """What each layer is given, and at the end what the last one gives: shapes without the batch axis."""
        shapes, branch = [self.workload.input_shape], ()
        for layer in self.workload.layers:
            branch = shapes[-1] if layer["kind"] == "branch" else branch
            shapes.append(branch if layer["kind"] == "beside" else _output_shape(layer, shapes[-1]))
        return shapes

    @cached_property
    def initial(self) -> list[dict[str, np.ndarray]]:
        """Draws the parameters of each layer by name, float32; empty for layers without.

        Shapes: weight (feature, units) or (*window, channel // groups, filters), He normal; bias (units,) or
        (filters,), zeros; scale, shift (channel,), ones and zeros.
        """
        rng = np.random.default_rng(SEED + 1 + self.seed)
        return [_parameters(rng, layer, shape) for layer, shape in zip(self.workload.layers, self.shapes, strict=False)]

    def require_kinds(self, *kinds: str) -> None:
        """Refuses a workload with a layer of any other kind."""
        for layer in self.workload.layers:
            if layer["kind"] not in kinds:
                raise Unavailable(f"this contestant is written without {layer['kind']} layers")


def _output_shape(layer: dict, shape: tuple[int, ...]) -> tuple[int, ...]:
    match layer["kind"]:
        case "dense":
            return (layer["units"],)
        case "flatten":
            return (int(np.prod(shape)),)
        case "convolution" | "max-pool" as kind:
            padding = sum(layer.get("padding", (0, 0)))
            places = ((length + padding - layer["window"]) // layer["stride"] + 1 for length in shape[:-1])
            return (*places, layer["filters"] if kind == "convolution" else shape[-1])
        case "mean-pool":
            return shape[-1:]
    return shape


def _parameters(rng: np.random.Generator, layer: dict, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The parameters of one layer whose input has this shape."""

    def affine(*weight: int) -> dict[str, np.ndarray]:
        values = rng.standard_normal(weight, dtype=np.float32)
        values *= np.float32(np.sqrt(2 / np.prod(weight[:-1])))
        return {"weight": values} | ({"bias": np.zeros(weight[-1], np.float32)} if layer.get("bias", True) else {})

    match layer["kind"]:
        case "dense":
            return affine(shape[0], layer["units"])
        case "convolution":
            window = [layer["window"]] * (len(shape) - 1)
            return affine(*window, shape[-1] // layer["groups"], layer["filters"])
        case "batch-norm" | "layer-norm":
            return {"scale": np.ones(shape[-1], np.float32), "shift": np.zeros(shape[-1], np.float32)}
    return {}
