"""Healthy programs of our own, and what is done to them: mutations that should harm, and others that only look so.

A mutation is a function of a specification that gives another one, or None where it does not apply. `MUTATIONS` are
operators of mutations.json, under the name there, with the kind of fault that they are to make; `CONTROLS` look like
faults to many a tool and are to do no harm. What becomes of either is told by the outcome of its runs alone.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

Change = Callable[[dict], dict | None]


def _dense(units: int, act: str = "linear", init: str = "he_normal", **more: Any) -> dict:
    return {"op": "dense", "units": units, "act": act, "init": init} | more


def _conv(filters: int, act: str = "relu") -> dict:
    return {
        "op": "conv2d",
        "filters": filters,
        "kernel": 3,
        "stride": 1,
        "pad": "same",
        "act": act,
        "init": "he_normal",
    }


def _program(name: str, data: dict, model: list[dict], optimizer: dict, loss: str, batch: int, epochs: int) -> dict:
    training = {"optimizer": optimizer, "loss": loss, "batch_size": batch, "epochs": epochs}
    return {
        "id": f"{name}_base",
        "healthy_control": True,
        "dataset": data,
        "model": model,
        "training": training,
        "faults": [],
        "known_fix": [],
        "base_program": name,
    }


def _classes(name: str, shape: list[int], classes: int, scaling: str, rows: int, **more: Any) -> dict:
    data = {"name": name, "task": "classification", "shape": shape, "classes": classes}
    return data | {"scaling": scaling, "n_train": rows} | more


def _number(name: str, columns: int, scaling: str, rows: int) -> dict:
    return {"name": name, "task": "regression", "shape": [columns], "outputs": 1, "scaling": scaling, "n_train": rows}


LOGITS, BOTH = "softmax_cross_entropy(logits)", "sigmoid_cross_entropy(logits)"
ADAM, SGD = {"name": "adam", "lr": 0.002}, {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True}
PIXELS = [28, 28, 1]

PROGRAMS = [
    _program(
        "own_digits",
        _classes("digits", [8, 8, 1], 10, "x/16", 900),
        [_dense(64, "relu"), _dense(64, "relu"), _dense(10, init="glorot_uniform")],
        ADAM,
        LOGITS,
        32,
        20,
    ),
    _program(
        "own_digits_pictures",
        _classes("digits", [8, 8, 1], 10, "x/16", 900),
        [_conv(16), {"op": "maxpool2d", "size": 2, "stride": 2}, _conv(32), {"op": "flatten"}, _dense(10)],
        ADAM,
        LOGITS,
        32,
        12,
    ),
    _program(
        "own_fashion",
        _classes("fashion", PIXELS, 10, "x/255", 1000),
        [_dense(64, "relu"), {"op": "dropout", "rate": 0.2}, _dense(32, "relu"), _dense(10, init="glorot_uniform")],
        {"name": "adam", "lr": 0.001},
        LOGITS,
        32,
        15,
    ),
    _program(
        "own_fashion_norm",
        _classes("fashion", PIXELS, 10, "x/255", 1000),
        [
            _dense(64),
            {"op": "batchnorm"},
            {"op": "act", "act": "relu"},
            _dense(64),
            {"op": "batchnorm"},
            {"op": "act", "act": "relu"},
            _dense(10),
        ],
        SGD,
        LOGITS,
        32,
        12,
    ),
    _program(
        "own_wine",
        _number("wine", 11, "standardise, target too", 2500),
        [_dense(48, "relu"), _dense(48, "relu"), _dense(1, init="glorot_uniform")],
        ADAM,
        "mean_squared_error",
        64,
        15,
    ),
    _program(
        "own_housing",
        _number("housing", 13, "standardise, target too", 2500),
        [_dense(64, "tanh", "glorot_uniform"), _dense(32, "tanh", "glorot_uniform"), _dense(1, init="glorot_uniform")],
        {"name": "sgd", "lr": 0.02, "momentum": 0.9},
        "mean_squared_error",
        64,
        20,
    ),
    _program(
        "own_diamonds",
        _number("diamonds", 26, "standardise, target too", 2500),
        [_dense(64, "relu"), _dense(64, "relu"), _dense(1, init="glorot_uniform")],
        {"name": "rmsprop", "lr": 0.001},
        "mean_squared_error",
        64,
        12,
    ),
    _program(
        "own_shoppers",
        _classes("shoppers", [28], 2, "standardise", 2500),
        [_dense(32, "relu"), _dense(16, "relu"), _dense(1, init="glorot_uniform")],
        {"name": "adam", "lr": 0.001},
        BOTH,
        64,
        12,
    ),
    _program(
        "own_splice",
        _classes("splice", [287], 3, "none", 1700),
        [_dense(48, "relu"), _dense(24, "relu"), _dense(3, init="glorot_uniform")],
        {"name": "adam", "lr": 0.001},
        LOGITS,
        32,
        12,
    ),
    _program(
        "own_moons",
        _classes("moons", [2], 2, "none", 1000),
        [_dense(16, "tanh", "glorot_uniform"), _dense(16, "tanh", "glorot_uniform"), _dense(2, init="glorot_uniform")],
        {"name": "adam", "lr": 0.005},
        LOGITS,
        32,
        25,
    ),
]


# --- helpers ---


def _weighted(spec: dict) -> list[dict]:
    return [each for each in spec["model"] if each["op"] in ("dense", "conv2d")]


def _hidden(spec: dict) -> list[dict]:
    return _weighted(spec)[:-1]


def _is_classes(spec: dict) -> bool:
    return spec["dataset"]["task"] == "classification"


def _change(op: str, **numbers: Any) -> Change:
    """Rows changed by an operator of zoo_data.CHANGES."""

    def changed(spec: dict) -> dict:
        spec["dataset"].setdefault("changes", []).append({"op": op, **numbers})
        return spec

    return changed


def _for_classes(change: Change) -> Change:
    return lambda spec: change(spec) if _is_classes(spec) else None


def _with_classes(op: str, **numbers: Any) -> Change:
    return lambda spec: _change(op, classes=spec["dataset"]["classes"], **numbers)(spec) if _is_classes(spec) else None


def _training(**changed: Any) -> Change:
    def change(spec: dict) -> dict:
        spec["training"] |= changed
        return spec

    return change


def _rate(factor: float) -> Change:
    def change(spec: dict) -> dict:
        spec["training"]["optimizer"]["lr"] *= factor
        return spec

    return change


def _acts(act: str) -> Change:
    """All hidden activations become another one."""

    def change(spec: dict) -> dict | None:
        own = [each for each in spec["model"][:-1] if each.get("act", "linear") != "linear"]
        if {each["act"] for each in own} == {act}:
            return None
        for each in own:
            each["act"] = act
        return spec

    return change


def _first_act(act: str) -> Change:
    def change(spec: dict) -> dict:
        next(each for each in spec["model"] if each.get("act", "linear") != "linear")["act"] = act
        return spec

    return change


def _inits(init: str, all_layers: bool = False) -> Change:
    def change(spec: dict) -> dict:
        for each in _weighted(spec) if all_layers else _hidden(spec):
            each["init"] = init
        return spec

    return change


def _first_init(init: str) -> Change:
    def change(spec: dict) -> dict:
        _weighted(spec)[0]["init"] = init
        return spec

    return change


def _output(act: str, loss: str | None = None) -> Change:
    def change(spec: dict) -> dict | None:
        if not _is_classes(spec) and loss is None and act in ("sigmoid", "softmax"):
            pass
        _weighted(spec)[-1]["act"] = act
        if loss is not None:
            spec["training"]["loss"] = loss
        return spec

    return change


def _optimiser(name: str, rate: float) -> Change:
    return _training(optimizer={"name": name, "lr": rate})


def _depth(factor: int, act: str) -> Change:
    """A plain stack of the first hidden width, so many times as deep."""

    def change(spec: dict) -> dict | None:
        if any(each["op"] not in ("dense", "dropout") for each in spec["model"]):
            return None
        hidden = _hidden(spec)
        one = hidden[0] | {"act": act, "init": "glorot_uniform"}
        spec["model"] = [dict(one) for _ in range(factor * len(hidden))] + [_weighted(spec)[-1]]
        return spec

    return change


def _widths(share: float) -> Change:
    def change(spec: dict) -> dict:
        for each in _hidden(spec):
            width = "units" if each["op"] == "dense" else "filters"
            each[width] = max(1, int(each[width] * share))
        return spec

    return change


def _dropout(rate: float) -> Change:
    def change(spec: dict) -> dict:
        model, place = [], _hidden(spec)
        for each in spec["model"]:
            if each["op"] != "dropout":
                model.append(each)
                if each in place and each.get("act", "linear") != "linear":
                    model.append({"op": "dropout", "rate": rate})
        spec["model"] = model
        return spec

    return change


def _norm(**changed: Any) -> Change:
    def change(spec: dict) -> dict | None:
        own = [each for each in spec["model"] if each["op"] == "batchnorm"]
        for each in own:
            each |= changed
        return spec if own else None

    return change


def _frozen(spec: dict) -> dict:
    _weighted(spec)[0]["frozen"] = True
    return spec


def _bias(spec: dict) -> dict:
    for each in _hidden(spec):
        each["bias"] = False
    return spec


def _loss(loss: str) -> Change:
    return lambda spec: _training(loss=loss)(spec) if spec["training"]["loss"] == LOGITS else None


def _epochs(share: float) -> Change:
    def change(spec: dict) -> dict:
        spec["training"]["epochs"] = max(1, int(spec["training"]["epochs"] * share))
        return spec

    return change


def _uphill(spec: dict) -> dict | None:
    optimizer = spec["training"]["optimizer"]
    if optimizer["name"] not in ("sgd", "adam"):
        return None
    spec["training"]["optimizer"] = {"name": optimizer["name"], "lr": optimizer["lr"], "gradient_sign": -1}
    return spec


def _broadcast(spec: dict) -> dict | None:
    if _is_classes(spec):
        return None
    return _training(loss="mean_squared_error with [N] vs [N,1] broadcasting")(spec)


def _targets(factor: float, shift: float = 0.0) -> Change:
    return lambda spec: None if _is_classes(spec) else _change("scale_targets", factor=factor, shift=shift)(spec)


def _pretrained(rate: float) -> Change:
    """Begins from learned weights, and goes on at a small rate."""

    def change(spec: dict) -> dict:
        own = deepcopy(spec["training"]["optimizer"])
        spec["pretrained"] = {"optimizer": own, "epochs": spec["training"]["epochs"]}
        spec["training"] |= {"optimizer": own | {"lr": rate}, "epochs": max(2, spec["training"]["epochs"] // 3)}
        return spec

    return change


def _frozen_learned(spec: dict) -> dict:
    """A frozen backbone: the first layer is learned before, and held."""
    spec["pretrained"] = {"optimizer": deepcopy(spec["training"]["optimizer"]), "epochs": spec["training"]["epochs"]}
    return spec


def _zero_head(spec: dict) -> dict:
    _weighted(spec)[-1]["init"] = "zeros"
    return spec


def _norm_first(spec: dict, factor: float = 255.0) -> dict:
    spec["model"].insert(0, {"op": "batchnorm"})
    return _change("scale_inputs", factor=factor)(spec)  # type: ignore[return-value]


def _wide(spec: dict) -> dict:
    for each in _hidden(spec):
        width = "units" if each["op"] == "dense" else "filters"
        each[width] *= 3
    return spec


def _negative_bias(spec: dict) -> dict | None:
    """Sparse signals: biases far below 0 leave most ReLU outputs 0 on most rows."""
    own = [each for each in _hidden(spec) if each.get("act") == "relu" and each["op"] == "dense"]
    for each in own:
        each["bias_init"] = -0.4
        each["units"] *= 2
    return spec if own else None


def _weighted_classes(spec: dict) -> dict | None:
    if not _is_classes(spec) or spec["dataset"]["classes"] != 2:
        return None
    return _change("rare", keep=0.25, classes=2)(_training(class_weights=(1.0, 4.0))(spec))  # type: ignore[arg-type]


def _schedule(**named: Any) -> Change:
    return _training(schedule=named)


# (operator of mutations.json, name of the mutant, kind of fault, "place" that it has, change)
MUTATIONS: list[tuple[str, str, str, str, Change]] = [
    ("change_label", "relabelled_half", "label_problem", "", _with_classes("relabel", share=0.6)),
    ("delete_training_data", "few_rows", "overfitting", "", _change("keep", share=0.03)),
    ("unbalance_train_data", "rare", "class_imbalance", "", _with_classes("rare", keep=0.03)),
    ("add_noise", "noisy_inputs", "augmentation_shift", "", _change("noise", sd=2.0)),
    ("make_output_classes_overlap", "overlap", "label_problem", "", _with_classes("overlap", share=1.0)),
    ("change_batch_size", "batch_512", "batch_size_too_large", "", _training(batch_size=512)),
    ("change_epochs", "one_epoch", "not_converged_yet", "", _epochs(0.05)),
    ("change_learning_rate", "rate_1e-3", "lr_too_small", "", _rate(1e-3)),
    ("change_learning_rate", "rate_100", "lr_too_large", "", _rate(100)),
    ("change_learning_rate", "rate_15", "lr_too_large", "", _rate(15)),
    ("disable_batching", "full_batch", "batch_size_too_large", "", _training(batch_size="full")),
    ("change_activation_function", "softmax_hidden", "wrong_hidden_activation", "hidden", _acts("softmax")),
    ("change_activation_function", "exponential", "wrong_hidden_activation", "hidden", _acts("exponential")),
    ("remove_activation_function", "no_activation", "missing_nonlinearity", "hidden", _acts("linear")),
    ("add_activation_function", "relu_output", "output_loss_mismatch", "output", _output("relu")),
    ("add_activation_function", "sigmoid_output", "output_range_mismatch", "output", _output("sigmoid")),
    ("change_weights_initialisation", "zeros", "zero_symmetric_init", "hidden", _inits("zeros")),
    ("change_weights_initialisation", "constant", "zero_symmetric_init", "first", _first_init("constant(0.05)")),
    ("change_weights_initialisation", "sd_2", "bad_init_scale", "hidden", _inits("normal(0,2)", all_layers=True)),
    ("change_weights_initialisation", "sd_1e-4", "bad_init_scale", "hidden", _inits("normal(0,0.0001)")),
    ("change_optimisation_function", "adagrad", "optimizer_choice", "", _optimiser("adagrad", 1e-4)),
    ("change_optimisation_function", "adadelta", "optimizer_choice", "", _optimiser("adadelta", 1e-3)),
    (
        "change_gradient_clip",
        "clip_1e-3",
        "lr_too_small",
        "",
        lambda spec: _training(clip_norm=1e-4)(
            _optimiser("sgd", 0.05)(spec)  # type: ignore[arg-type]
        ),
    ),
    ("change_loss_function", "wrong_loss", "wrong_loss", "", _loss("mean_squared_error")),
    ("change_dropout_rate", "dropout_0.9", "over_regularised", "", _dropout(0.9)),
    ("add_weights_regularisation", "l2_0.3", "over_regularised", "", _training(regularisation={"l2": 0.3})),
    ("change_weights_regularisation", "l1_0.02", "over_regularised", "", _training(regularisation={"l1": 0.02})),
    (
        "leak_feature",
        "leaked_column",
        "data_leak",
        "",
        lambda spec: (
            _with_classes("leak_column")(_one_more_column(spec)) if len(spec["dataset"]["shape"]) == 1 else None
        ),
    ),
    ("test_preprocessing", "other_scale", "preprocessing_mismatch", "", _change("other_scale", factor=4.0, shift=0.0)),
    ("bn_mode", "statistics_kept", "batchnorm_mismatch", "", _norm(decay=1.0)),
    ("label_noise", "labels_40", "label_problem", "", _for_classes(_change("permute_labels", share=0.5))),
    ("label_noise", "labels_all", "label_problem", "", _change("permute_labels", share=1.0)),
    ("input_scale", "times_255", "unscaled_inputs", "", _change("scale_inputs", factor=255.0)),
    ("input_scale", "divided_1000", "double_scaled_inputs", "", _change("scale_inputs", factor=1e-3)),
    ("input_scale", "plus_100", "unscaled_inputs", "", _change("scale_inputs", factor=1.0, shift=100.0)),
    ("input_scale", "column_1e4", "unscaled_inputs", "", _change("scale_column", factor=1e4, shift=1e4)),
    ("input_scale", "not_numbers", "nan_inputs", "", _change("not_numbers", share=0.001)),
    ("target_scale", "targets_1e3", "unscaled_targets", "", _targets(1e3, 5e3)),
    ("target_scale", "broadcast", "label_shape_broadcast", "", _broadcast),
    ("freeze_layer", "frozen_first", "frozen_layer", "first", _frozen),
    ("grad_accumulate_bug", "summed", "loss_reduction_error", "", _loss("softmax_cross_entropy(logits), summed")),
    ("grad_accumulate_bug", "uphill", "flipped_gradient_sign", "", _uphill),
    (
        "double_softmax",
        "double_softmax",
        "double_softmax",
        "output",
        lambda spec: _output("softmax")(spec) if spec["training"]["loss"] == LOGITS else None,
    ),
    ("depth", "deep_sigmoid", "vanishing_gradient", "", _depth(5, "sigmoid")),
    ("depth", "deep_tanh", "vanishing_gradient", "", _depth(16, "tanh")),
    ("lr_schedule_bug", "decay_each_step", "lr_too_small", "", _schedule(name="Exponential", decay_rate=12.0)),
    ("lr_schedule_bug", "endless_warmup", "lr_too_small", "", lambda spec: _rate(0.02)(_training(warmup=1.0)(spec))),  # type: ignore[arg-type]
    ("tiny_width", "narrow", "high_bias", "", _widths(1 / 24)),
    ("tiny_data", "hundred_rows", "overfitting", "", _change("keep", share=0.06)),
]

# (name, whether it looks like a fault, change)
CONTROLS: list[tuple[str, bool, Change]] = [
    ("sparse_relu", True, _negative_bias),
    ("zero_head", True, _zero_head),
    ("big_inputs_behind_norm", True, _norm_first),
    ("warmup_bump", True, lambda spec: _rate(2.0)(_training(warmup=0.2)(spec))),  # type: ignore[arg-type]
    ("cosine_tail", True, _schedule(name="Cosine")),
    ("long_converged", True, _epochs(2.5)),
    ("fine_tuning_1e-5", True, _pretrained(1e-5)),
    ("frozen_backbone", True, _frozen_learned),
    ("handled_imbalance", True, _weighted_classes),
    ("over_confident", True, lambda spec: _epochs(1.5)(_wide(spec)) if _is_classes(spec) else None),
    ("no_bias", True, _bias),
    ("few_wrong_labels", True, _for_classes(_change("permute_labels", share=0.03))),
    ("scaled_by_4", True, _change("scale_inputs", factor=3.0)),
    ("clipped", True, _training(clip_norm=1.0)),
    ("light_l2", False, _training(regularisation={"l2": 1e-5})),
    ("wider", False, _wide),
    ("rate_halved", False, _rate(0.6)),
    ("orthogonal", False, _inits("orthogonal")),
    ("elu", False, _acts("elu")),
]
CANNOT = {
    "remove_validation_set": "what is examined has no rows that guide then; there is no fault to find in the training",
    "change_earlystopping_patience": "what is examined is trained to its end",
    "add_bias": "all programs have biases; they are taken away (no_bias) as a control",
    "remove_bias": "a control, no_bias",
    "remove_weights_regularisation": "the programs here have none",
    "leak_rows": "rows of dev among those that teach do not harm the outcome; a rule of data finds them",
    "dropout_mode": "no layer drops outside training without a key",
    "recurrent_gain": "the library has no recurrent layer",
    "no_shuffle": "rows are always drawn in random order",
}


def _one_more_column(spec: dict) -> dict:
    spec["dataset"]["shape"] = [spec["dataset"]["shape"][0] + 1]
    return spec


def named_layers(spec: dict) -> list[str]:
    """The layers with weights, as "op[number]", in order."""
    counts: dict[str, int] = {}
    named = []
    for each in spec["model"]:
        number = counts[each["op"]] = counts.get(each["op"], -1) + 1
        if each["op"] in ("dense", "conv2d"):
            named.append(f"{each['op']}[{number}]")
    return named


def _places(spec: dict, place: str) -> list[str]:
    """Layers that a fault lies in, as "op[number]"; none where it has no place."""
    named = named_layers(spec)
    return {"": [], "first": named[:1], "output": named[-1:], "hidden": named[:-1]}[place]


def _dealt(program: dict, number: int, hands: int) -> bool:
    """Whether a program has a change of this number: each is dealt to one of so many programs, in turn."""
    names = [each["base_program"] for each in PROGRAMS]
    return (names.index(program["base_program"]) + number) % hands == 0


def mutants(program: dict) -> list[dict]:
    """Specifications with a fault; each has its kind in "faults" and, under "where", the layers that it lies in."""
    found = []
    for number, (op, name, kind, place, change) in enumerate(MUTATIONS):
        spec = change(deepcopy(program))
        if spec is not None and _dealt(program, number, 3):
            spec["id"] = f"{program['base_program']}_{name}"
            spec["healthy_control"] = False
            spec["faults"] = [{"kind": kind, "where": ", ".join(_places(program, place)), "op": op}]
            found.append(spec)
    return found


def controls(program: dict) -> list[tuple[dict, bool]]:
    """Specifications that should be as good, each with whether it looks like a faulty one."""
    found = []
    for number, (name, scary, change) in enumerate(CONTROLS):
        spec = change(deepcopy(program))
        if spec is not None and _dealt(program, number, 2):
            spec["id"] = f"{program['base_program']}_{name}"
            found.append((spec, scary))
    return found
