"""Specifications of trainings, in the format of specs.jsonl, as cases that the doctor examines.

Every field is honoured, or the specification is refused with the reason. What is expressed otherwise stands in the
case's notes. Fields that specs.jsonl does not have serve mutations: "halved" and "changes" of a data set, "frozen" and
"decay" of a layer, "clip_norm", "schedule", "warmup", "class_weights" of a training, "pretrained" of the whole.
"""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.diagnose.case import Case
from preceptor.engines import Engine, choose_engine
from preceptor.errors import ShapeError
from preceptor.nn.layer import initial_specs, multiply_adds
from preceptor.ops import Spec
from preceptor.train import SGD, Adam, Arrays, Config, Nesterov, RMSProp, Update, train
from preceptor.train import optim as optimisers
from preceptor.train import penalty as penalties
from preceptor.train import schedule as schedules
from zoo_data import Parts, Refused, load, scale, spoil
from zoo_faults import (
    BatchSoftmax,
    Broadcast,
    FrozenConvolution,
    FrozenDense,
    Learned,
    LogOfBoth,
    LogOfNumber,
    LogOfOutputs,
    Times,
    UphillAdam,
    UphillSGD,
)

WORK = 1.5e10  # multiplications with their additions in a training, at most: about a second of one core
STEPS, PASSES = 3000, 15_000  # steps of a training, and of all its layers, at most
ROWS = {"picture": 1000, "row": 2500}  # that teach, at most
LARGEST_BATCH = 128  # a larger one is cut as the rows are
LEAST_EPOCHS = 8  # for which there should be work, before the network is made smaller
NARROWED = 32  # hidden width from which on it may be
LESS = [{"halved": halved, "width": width} for width in (1, 2, 4, 8) for halved in (False, True)]
BUDGET_EPOCHS = 4  # where a specification says "your budget"

FIELDS = {
    "": {
        *("id", "healthy_control", "source", "dataset", "model", "training", "faults", "expected_symptoms"),
        *("known_fix", "label", "measured", "runnable", "base_program", "cost", "caveats", "verdicts"),
        *("deepfd_ground_truth", "n_models_with_this_architecture", "pretrained", "cut"),
    },
    "dataset": {
        *("name", "task", "shape", "classes", "outputs", "n_train", "n_test", "scaling", "obtain", "generator"),
        *("corruption", "augmentation", "halved", "changes"),
    },
    "training": {
        *("optimizer", "loss", "batch_size", "epochs", "validation_split", "validation", "regularisation"),
        *("clip_norm", "clip_value", "schedule", "warmup", "class_weights"),
    },
    "optimizer": {"name", "lr", "momentum", "nesterov", "decay", "epsilon", "gradient_sign"},
    "regularisation": {"l1", "l2"},
}
OPS = {
    "dense": {"units", "act", "init", "bias_init", "bias", "frozen"},
    "conv2d": {"filters", "kernel", "stride", "pad", "act", "init", "bias_init", "bias", "frozen"},
    "maxpool2d": {"size", "stride"},
    "flatten": set(),
    "dropout": {"rate"},
    "act": {"act"},
    "batchnorm": {"decay"},
}
ACTIVATIONS = {
    "relu": nn.Relu(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "softmax": nn.Softmax(),
    "exponential": nn.Exponential(),
    "hard_sigmoid": nn.HardSigmoid(),
    "elu": nn.Elu(),
    "selu": nn.Selu(),
    "softplus": nn.Softplus(),
    "softsign": nn.Softsign(),
    "leaky_relu": nn.LeakyRelu(0.1),
}
INITIALISERS = {
    "glorot_uniform": nn.GlorotUniform(),
    "glorot_normal": nn.Glorot(),
    "he_uniform": nn.HeUniform(),
    "he_normal": nn.He(),
    "lecun_uniform": nn.XavierUniform(),
    "lecun_normal": nn.Xavier(),
    "orthogonal": nn.Orthogonal(),
    "zeros": nn.Constant(0.0),
    "ones": nn.Constant(1.0),
    "normal": nn.Gaussian(0.05),  # Keras' random_normal
    "TruncatedNormal": nn.TruncatedGaussian(0.05),  # Keras' default
}


@dataclass(frozen=True, eq=False)
class Ready:
    """A case with what judges its outcome.

    Args:
        test: rows that no part of it sees.
        layers: paths of the layers of each "op[number]" of the specification: of dense[1] its weights and activation.
        notes: what of the specification is expressed otherwise.
    """

    case: Case
    test: tuple[np.ndarray, np.ndarray]
    layers: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


def check(spec: dict) -> None:
    """Raises: Refused for a field that is not known."""
    training = spec["training"]
    inner = {"optimizer": training["optimizer"], "regularisation": training.get("regularisation", {})}
    for name, part in {"": spec, "dataset": spec["dataset"], "training": training, **inner}.items():
        if unknown := sorted(set(part) - FIELDS[name]):
            raise Refused(f"the field {name}.{unknown[0]} is not known")
    for layer in spec["model"]:
        if layer["op"] not in OPS:
            raise Refused(f"the layer {layer['op']!r} is not known")
        if unknown := sorted(set(layer) - OPS[layer["op"]] - {"op"}):
            raise Refused(f"the field {unknown[0]} of {layer['op']} is not known")


def initialiser(text: Any) -> nn.Initialiser:
    """What draws weights or biases. Raises: Refused where it is not known."""
    text = text[0] if isinstance(text, list) and text else text
    if isinstance(text, (int, float)):
        return nn.Constant(float(text))
    if text in INITIALISERS:
        return INITIALISERS[text]
    found = re.fullmatch(r"(uniform|normal|trunc_normal|constant)\(([-\d.]+)(?:,([-\d.]+))?\)", str(text))
    if found:
        kind, first, second = found[1], float(found[2]), float(found[3] or 0)
        if kind == "constant":
            return nn.Constant(first)
        if kind == "uniform" and first == -second:
            return nn.Uniform(second)
        if kind != "uniform" and first == 0:
            return nn.Gaussian(second) if kind == "normal" else nn.TruncatedGaussian(second)
    raise Refused(f"the initialiser {text!r} is not known")


def network(spec: dict) -> tuple[nn.Sequential, dict[str, tuple[str, ...]]]:
    """The network and the paths of its layers by the specification's names. Raises: Refused."""
    layers: list[tuple[str, nn.Layer]] = []
    places: dict[str, tuple[str, ...]] = {}
    counts: dict[str, int] = {}
    latest = ""  # layer with weights, whose activation may be a layer of its own
    if spec["model"][0]["op"] == "dense" and len(spec["dataset"]["shape"]) == 3:
        layers.append(("rows", nn.Flatten()))
    for each in spec["model"]:
        op = each["op"]
        number = counts[op] = counts.get(op, -1) + 1
        name = f"{op}{number}"
        own: list[tuple[str, nn.Layer]] = []
        if op in ("dense", "conv2d"):
            drawn = {"initialiser": initialiser(each["init"])} if "init" in each else {}
            drawn |= {"bias_initialiser": initialiser(each["bias_init"])} if "bias_init" in each else {}
            drawn |= {"bias": each.get("bias", True)}
            if op == "dense":
                kind = FrozenDense if each.get("frozen") else nn.Dense
                own = [(name, kind(each["units"], **drawn))]
            else:
                filters = FrozenConvolution if each.get("frozen") else nn.Convolution
                own = [(name, filters(each["filters"], each["kernel"], each["stride"], each["pad"], **drawn))]
        elif op == "maxpool2d":
            own = [(name, nn.MaxPool(each["size"], each["stride"]))]
        elif op == "flatten":
            own = [(name, nn.Flatten())]
        elif op == "dropout":
            own = [(name, nn.Dropout(each["rate"]))]
        elif op == "batchnorm":
            own = [(name, nn.BatchNorm(each.get("decay", 0.9)))]
        if (act := each.get("act", "linear")) not in ("linear", None):
            if act not in ACTIVATIONS:
                raise Refused(f"the activation {act!r} is not known")
            own.append((f"{name}_{act}", ACTIVATIONS[act]))
        layers += own
        paths = tuple(path for path, _ in own)
        places[f"{op}[{number}]"] = paths
        if op in ("dense", "conv2d"):
            latest = f"{op}[{number}]"
        elif op == "act" and latest:
            places[latest] += paths
    return nn.Sequential(tuple(layer for _, layer in layers), tuple(path for path, _ in layers)), places


def loss_of(spec: dict, batch: int) -> tuple[nn.Loss, float]:
    """The loss, and what the learning rate is multiplied by for it. Raises: Refused where it is not known.

    The library's squared error of a number has a factor 1/2, which doubles the rate of what is not scale free.
    """
    text, data = spec["training"]["loss"], spec["dataset"]
    number = data["task"] == "regression"
    units = next(each["units"] for each in reversed(spec["model"]) if each["op"] == "dense")
    twice = 2.0 if spec["training"]["optimizer"]["name"] == "sgd" else 1.0
    losses: dict[str, Callable[[], nn.Loss]] = {
        "binary_crossentropy": nn.ProbabilityBinaryCrossEntropy,
        "categorical_crossentropy": nn.ProbabilityCrossEntropy,
        "sparse_categorical_crossentropy": nn.ProbabilityCrossEntropy,
        "cross_entropy": nn.ProbabilityCrossEntropy,
        "softmax_cross_entropy(logits)": nn.SoftmaxCrossEntropy,
        "sparse_categorical_crossentropy(from_logits=True)": nn.SoftmaxCrossEntropy,
        "sigmoid_cross_entropy(logits)": nn.BinaryCrossEntropy,
        "mean_squared_error(softmax)": lambda: Times(nn.Brier(), 2 / units),
        "softmax_cross_entropy(logits), reduction wrong": lambda: Times(nn.SoftmaxCrossEntropy(), batch / units),
        "cross entropy, sum over batch / mean over classes": lambda: Times(nn.SoftmaxCrossEntropy(), batch / units),
        "softmax_cross_entropy(logits), summed": lambda: Times(nn.SoftmaxCrossEntropy(), batch),
        "mean_squared_error, reduction wrong": lambda: Times(nn.Quadratic(), 2 * batch),
        "-mean(sum(y*log(clip(yhat,1e-10,1)))) on a linear output": LogOfNumber,
        "cross_entropy_on_probabilities applied to raw logits, clip 1e-32": lambda: LogOfOutputs(1e-32),
        "sparse_categorical_crossentropy with from_logits=False, fed logits": lambda: LogOfOutputs(1e-7, True),
        "cross entropy with softmax over the BATCH axis": BatchSoftmax,
        "mean_squared_error with [N] vs [N,1] broadcasting": Broadcast,
        "binary cross entropy taken on raw outputs (log of negative numbers)": LogOfBoth,
        "-sum(y*log p) over batch, unclipped": lambda: Times(nn.ProbabilityCrossEntropy(0.0), batch),
        "hinge(logits)": nn.MulticlassHinge,
    }
    if text == "mean_squared_error":
        return (nn.Quadratic(), twice) if number else (nn.ProbabilityDistance(2), 1.0)
    if text == "mean_absolute_error":
        return (nn.Absolute() if number else nn.ProbabilityDistance(1)), 1.0
    if text not in losses:
        raise Refused(f"the loss {text!r} is not known")
    return losses[text](), 1.0


def optimiser_of(given: dict, steps_an_epoch: float) -> tuple[Any, float, Any]:
    """Optimiser, learning rate and schedule. Raises: Refused where it is not known."""
    name, rate = given["name"], given["lr"]
    uphill = given.get("gradient_sign", 1) * (1 if rate >= 0 else -1) < 0
    schedule: Any = schedules.Constant()
    if given.get("decay"):
        schedule = schedules.InverseTime(given["decay"] * steps_an_epoch)
    if uphill and (name not in ("sgd", "adam") or given.get("momentum")):
        raise Refused(f"{name} upwards is not known")
    epsilon = {"epsilon": given["epsilon"]} if "epsilon" in given else {}
    if name == "sgd":
        momentum = given.get("momentum", 0)
        found: Any = UphillSGD() if uphill else SGD()
        if momentum:
            found = Nesterov(momentum) if given.get("nesterov") else optimisers.Momentum(momentum)
    elif name == "adam":
        found = (UphillAdam if uphill else Adam)(**epsilon)
    elif name == "adadelta":
        found = optimisers.Adadelta(0.95, 1e-7)  # Keras' numbers
    elif name in ("rmsprop", "adagrad", "adamax", "nadam"):
        found = RMSProp(**epsilon) if name == "rmsprop" else getattr(optimisers, name.capitalize())(**epsilon)
    else:
        raise Refused(f"the optimiser {name!r} is not known")
    return found, abs(rate), schedule


def cut(spec: dict) -> dict[str, Any]:
    """How much less is trained, so that it takes about a second: whether pictures are halved, what hidden widths are
    divided by, rows that teach, and what epochs and a large batch are multiplied by. Made of the repaired specification
    and taken for the faulty one too."""
    data, training = spec["dataset"], spec["training"]
    told = data.get("n_train") or ROWS["row"]
    most = ROWS["picture" if data["name"] in ("mnist", "cifar10") else "row"]
    epochs = BUDGET_EPOCHS if isinstance(training["epochs"], str) else training["epochs"]
    for less in LESS:
        try:
            work = 3 * _multiplications(narrowed(spec, less))
        except ShapeError:
            continue
        rows = min(told, most, len(load(data, most, True).x))
        if work * rows * min(epochs, LEAST_EPOCHS) <= WORK:
            break
    rows = int(min(rows, max(250, WORK / work / min(epochs, LEAST_EPOCHS))))
    asked = training["batch_size"]
    batch = rows if asked == "full" else asked
    share = rows / told if batch > LARGEST_BATCH else 1.0
    steps = min(STEPS, PASSES / len(spec["model"]))
    allowed = min(WORK / (work * rows), steps * max(1.0, batch * share) / rows)
    return less | {"rows": rows, "epochs": min(1.0, max(allowed, 1) / epochs), "batch": share}


def narrowed(spec: dict, less: dict) -> dict:
    """The specification with smaller pictures and hidden layers."""
    spec = deepcopy(spec)
    spec["dataset"]["halved"] = less["halved"]
    weighted = [each for each in spec["model"] if each["op"] in ("dense", "conv2d")]
    for each in weighted[:-1]:
        width = "units" if each["op"] == "dense" else "filters"
        if each[width] >= NARROWED:
            each[width] //= less["width"]
    return spec


def _multiplications(spec: dict) -> int:
    """Of a row's way through the network."""
    row = Spec((1, *_shape(spec)), np.dtype(np.float32))
    made, _ = network(spec)
    return multiply_adds(made, *initial_specs(made, row), row)


def _shape(spec: dict) -> tuple[int, ...]:
    shape, ops = spec["dataset"]["shape"], [each["op"] for each in spec["model"]]
    if "conv2d" not in ops:
        return (int(np.prod(shape)),)
    halved = spec["dataset"].get("halved", False)
    return (shape[0] // 2, shape[1] // 2, shape[2]) if halved else tuple(shape)


def ready(spec: dict, seed: int, engine: Engine | None = None) -> Ready:
    """The case of a specification. Raises: Refused where a field of it cannot be honoured."""
    check(spec)
    less = spec.get("cut") or cut(spec)
    spec = narrowed(spec, less)
    data, training = spec["dataset"], spec["training"]
    flat = "conv2d" not in [each["op"] for each in spec["model"]]
    parts = scale(load(data, int(less["rows"]), flat), data["scaling"])
    parts = spoil(_dev(parts, training), data)
    rows, notes = len(parts.x), list(parts.notes)
    asked = training["batch_size"]
    batch = rows if asked == "full" else max(1, round(asked * less["batch"]))
    batch = min(batch, rows)
    if less["batch"] < 1 and asked != "full":
        notes.append(f"batches of {batch} in the place of {asked:,}, as the rows are fewer")
    told = BUDGET_EPOCHS if isinstance(training["epochs"], str) else training["epochs"]
    epochs = max(1, round(told * less["epochs"]))
    if less["width"] > 1:
        notes.append(f"hidden widths divided by {less['width']}")
    if epochs != training["epochs"]:
        notes.append(f"{epochs:,} epochs in the place of {training['epochs']}")
    loss, factor = loss_of(spec, batch)
    optimiser, rate, schedule = optimiser_of(training["optimizer"], rows / batch)
    if named := training.get("schedule"):
        schedule = getattr(schedules, named["name"])(**{key: each for key, each in named.items() if key != "name"})
    regularisation = training.get("regularisation", {})
    costs = [getattr(penalties, name.upper())(weight) for name, weight in regularisation.items() if weight]
    made, layers = network(spec)
    if "pretrained" in spec:
        made = _pretrained(spec, seed, engine)
    classes = data.get("classes", 0) if data["task"] == "classification" else 0
    config = Config(
        made,
        loss,
        optimiser,
        schedule,
        tuple(costs),
        Update(clip_norm=training.get("clip_norm"), clip_value=training.get("clip_value")),
        learning_rate=rate * factor,
        warmup=training.get("warmup", 0.0),
        batch_size=batch,
        epochs=epochs,
        seed=seed,
        class_weights=tuple(training.get("class_weights", ())),
        engine=engine or choose_engine("native", threads=1),
    )
    dev = parts.dev or (None, None)
    return Ready(Case(config, Arrays(parts.x, parts.y, *dev), classes), parts.test, layers, tuple(notes))


def _dev(parts: Parts, training: dict) -> Parts:
    """Rows that guide, as the program has them: "validation" may say that they teach too."""
    known = training.get("validation")
    if known == "first 100 rows of the TRAINING set":
        return replace(parts, dev=(parts.x[:100], parts.y[:100]))
    if known:
        raise Refused(f"the validation {known!r} is not known")
    return parts


def _pretrained(spec: dict, seed: int, engine: Engine | None) -> nn.Sequential:
    """The network with the weights that another training of the specification comes to."""
    before = deepcopy({key: each for key, each in spec.items() if key != "pretrained"})
    before["training"] |= spec["pretrained"]
    case = ready(before, seed + 1000, engine).case
    weights: dict[str, np.ndarray] = {}
    for record in train(case.config, case.data, judged=0):
        if record.step == record.steps:
            weights = record.weights()["params"]

    layers = []
    for name, layer in zip(case.config.network.names, case.config.network.layers, strict=True):  # type: ignore[attr-defined]
        own = {"weight": "initialiser", "bias": "bias_initialiser"}
        given = {field: Learned(weights[f"{name}/{key}"]) for key, field in own.items() if f"{name}/{key}" in weights}
        layers.append(replace(layer, **given) if isinstance(layer, nn.Dense | nn.Convolution) else layer)
    return nn.Sequential(tuple(layers), case.config.network.names)  # type: ignore[attr-defined]


# --- the best known fix ---

ALL_HIDDEN = re.compile(r"hidden act|all hidden act")


def repaired(spec: dict) -> list[dict]:
    """The specification with its known fix applied; several where the fixes are offered for choice.

    Raises: Refused where a fix cannot be said.
    """
    choices = []
    for without_model in (False, True) if spec["base_program"].startswith("at_") else (False,):
        fixed = deepcopy(spec)
        for fix in spec["known_fix"]:
            if not (without_model and fix["where"] == "model"):
                _fix(fixed, fix)
        choices.append(_plain(fixed))
    return choices


def _plain(fixed: dict) -> dict:
    for name in ("faults", "known_fix", "expected_symptoms"):
        fixed[name] = []
    fixed["id"] += "_fixed"
    return fixed


def _fix(spec: dict, fix: dict) -> None:
    where, to = fix["where"], fix["to"]
    data, training, model = spec["dataset"], spec["training"], spec["model"]
    denses = [each for each in model if each["op"] == "dense"]
    weighted = [each for each in model if each["op"] in ("dense", "conv2d")]
    hidden = weighted[:-1]
    element = re.fullmatch(r"(dense|conv2d)\[(\d+)(?::(\d+))?\]\.(act|kernel_init)", where)
    if element:
        of = [each for each in model if each["op"] == element[1]]
        for each in of[int(element[2]) : int(element[3] or int(element[2]) + 1)]:
            each["act" if element[4] == "act" else "init"] = to
    elif where == "optimizer.lr":
        training["optimizer"]["lr"] = {"larger": 10 * training["optimizer"]["lr"]}.get(to, to)
    elif where == "optimizer":
        rate = re.fullmatch(r"(\w+) lr ([\de.-]+)", to)
        training["optimizer"] = {"name": rate[1], "lr": float(rate[2])} if rate else {"name": to, "lr": 0.001}
    elif where == "training.epochs":
        training["epochs"] = {"more": 5 * training["epochs"] if isinstance(training["epochs"], int) else 20}.get(to, to)
    elif where == "training.batch_size":
        training["batch_size"] = to
    elif where in ("training.loss", "data/loss"):
        training["loss"] = _on_logits(denses) if "on logits" in to else {"mse": "mean_squared_error"}.get(to, to)
    elif where == "reduction" and to == "mean":
        training["loss"] = _on_logits(denses)
    elif where in ("preprocessing", "input"):
        if to == "batchnorm":
            model.insert(0, {"op": "batchnorm"})
        else:
            data["scaling"] = {"scaled": "standardise"}.get(to, to)
    elif ALL_HIDDEN.fullmatch(where):
        act = {"selu / leaky relu": "leaky_relu", "relu + he init": "relu", "selu/relu": "relu"}.get(to, to)
        for each in [*hidden, *(each for each in model if each["op"] == "act")]:
            each["act"] = act
            if "he init" in to:
                each["init"] = "he_normal"
    elif where == "init":
        for each in hidden if spec["base_program"] != "tdc_so_IPS_4" else weighted:
            each["init"] = "he_normal"
            each.pop("bias_init", None)
    elif where == "training" and to == "gradient clipping":
        training["clip_norm"] = 1.0
    elif where == "model" and to.startswith("batchnorm"):
        for number in reversed([at for at, each in enumerate(model) if each in hidden]):
            model.insert(number + 1, {"op": "batchnorm"})
    elif where == "model" and to == "4-8-3":
        denses[0]["units"] = 8
    elif where == "output" and to == "sigmoid, or a loss on logits":
        training["loss"] = "softmax_cross_entropy(logits)"
    else:
        raise Refused(f"the known fix of {where} ({fix['from']} to {to}) cannot be said")


def _on_logits(denses: list[dict]) -> str:
    denses[-1]["act"] = "linear"
    return "softmax_cross_entropy(logits)"
