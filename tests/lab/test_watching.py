"""What a page's script finds in a training against what `diagnose` finds in its figures, computed here by hand."""

import numpy as np
import pytest
from in_node import needs_node, session

import preceptor as pr

pytestmark = needs_node
WATCHED = {
    "nan_inf", "unscaled_inputs", "double_scaled_or_constant", "zero_or_symmetric_weights", "dead_relu",
    "saturated_units", "diverging", "bad_init_scale", "vanishing_gradient", "exploding_gradient",
}  # fmt: skip
TELL = """
  const words = all => Array.from(all, String);
  const params = state => Object.fromEntries(
    Object.keys(s.network().first).map(path => [path, words(state["state/params/" + path])]));
  return { names: s.findings(s.see(s.set().x)).map(each => each.name), losses: words(s.losses), network: s.network(),
           first: params(s.first), now: params(s.state), rate: s.rate(),
           x: s.set().x.map(each => s.settings.scale * each), y: s.set().y };
"""
ROWS = "s.own([0, 1, 2, 3, 4, 5, 6, 7].map(i => {} + ',' + i * i % 5 + ',' + 'ab'[i % 2]).join('\\n')); s.step(3)"
ONE_WIDE, FAR = ROWS.replace("{}", "1000 * i"), ROWS.replace("{}", "(i + 90)")
SAME = "s.own('1,2,a\\n1,2,b\\n1,2,a'); s.step(3)"
ALIKE = "s.own('1,2,a\\n1.001,2,b\\n1,2.003,a'); s.step(3)"
CASES = [
    ("playground", "s.step(60)", set()),
    ("playground", "s.reset({ network: 3 }); s.step(60)", set()),
    ("playground", "s.reset({ network: 4, data: 1 }); s.step(30)", set()),
    ("playground", "s.reset({ network: 1 }); s.step(20)", set()),
    ("playground", "s.reset({ sd: 0 }); s.step(5)", {"zero_or_symmetric_weights"}),
    ("playground", "s.reset({ sd: 0, network: 4 }); s.step(5)", {"zero_or_symmetric_weights"}),
    ("playground", "s.reset({ sd: 0.01 }); s.step(2)", {"bad_init_scale"}),
    ("playground", "s.reset({ sd: 0.01, network: 4 }); s.step(3)", {"bad_init_scale"}),
    ("playground", "s.reset({ sd: 30 }); s.step(3)", {"bad_init_scale", "saturated_units"}),
    ("playground", "s.reset({ scale: 100 }); s.step(5)", {"unscaled_inputs", "saturated_units", "bad_init_scale"}),
    ("playground", "s.reset({ scale: 0.01 }); s.step(5)", {"double_scaled_or_constant"}),
    ("playground", "s.change('r', 50); s.step(120)", {"diverging"}),
    ("playground", "s.reset({ network: 3 }); s.change('r', 50); s.step(40)", {"dead_relu"}),
    ("playground", "s.reset({ network: 3 }); s.change('r', 1e200); s.step(9)", {"nan_inf"}),
    ("playground", ONE_WIDE, {"unscaled_inputs"}),
    ("playground", FAR, {"unscaled_inputs"}),
    ("playground", SAME, {"double_scaled_or_constant"}),
    ("playground", ALIKE, {"double_scaled_or_constant"}),
    ("symmetry", "s.step(9)", {"zero_or_symmetric_weights"}),
    ("symmetry", "s.reset({ network: 1 }); s.step(9)", {"zero_or_symmetric_weights"}),
    ("symmetry", "s.reset({ network: 2 }); s.step(9)", set()),
    ("deep-tanh", "s.step(9)", set()),
    ("deep-tanh", "s.reset({ network: 1 }); s.step(9)", {"bad_init_scale", "vanishing_gradient"}),
    ("deep-tanh", "s.reset({ sd: 9 }); s.step(3)", {"bad_init_scale", "saturated_units"}),
    ("deep-tanh", "s.reset({ network: 3, sd: 3 }); s.step(2)", {"bad_init_scale", "exploding_gradient"}),
    ("universal", "s.step(40)", {"saturated_units"}),
    ("rates", "s.step(40)", set()),
]


@pytest.fixture
def told(found):
    """What the page's script says of a training of an experiment, after some commands."""
    kept = {}

    def of(name, commands):
        if name not in kept:
            kept[name] = found(name).replays()[0].to_dict()
        return kept[name], session(kept[name], f"{commands}; {TELL}")

    return of


@pytest.mark.parametrize("name, commands, some", CASES)
def test_the_page_finds_what_the_doctor_finds(told, name, commands, some):
    spec, says = told(name, commands)
    losses = [float(each) for each in says["losses"]]
    x = np.reshape(says["x"], (-1, len(spec["features"])))
    layers, classes = dict(says["network"]["layers"]), spec["classes"]
    target = np.eye(len(classes))[says["y"]] if len(classes) > 2 else np.reshape(says["y"], (-1, 1))
    records = [
        {"step": step, "loss": loss, "learning_rate": says["rate"], "rows": len(x)}
        for step, loss in enumerate(losses, 1)
    ]
    for place, params in ((0, says["first"]), (-1, says["now"])):
        shapes = {path: each["shape"] for path, each in says["network"]["first"].items()}
        values = {path: np.array([float(each) for each in own]).reshape(shapes[path]) for path, own in params.items()}
        if all(np.isfinite(each).all() for each in values.values()):
            signals, parameters = probed(layers, values, x, target, bool(classes))
            records[place] |= {"signals": signals, "parameters": parameters}
    inputs = {
        "mean": x.mean(0).tolist(), "sd": x.std(0).tolist(), "rows": len(x), "size": np.sqrt(np.mean(x * x)),
        "is_whole": False,
    }  # fmt: skip
    counts = np.bincount(says["y"]).tolist() if classes else None
    constant = None if classes else float(np.var(says["y"]) / 2)
    found = pr.diagnose(
        records, steps=len(losses), class_counts=counts, constant_loss=constant, layers=layers, inputs=inputs
    ).findings
    # that losses leap is told of records of all steps, and not watched in the page
    names = {each.rule for each in found if "leaps" not in each.text} & WATCHED
    assert set(says["names"]) == names
    assert some <= names
    assert bool(some) == bool(names)


def probed(layers, params, x, target, is_class):
    """Figures of each layer and each array of parameters, as records have them: forward and back by hand."""
    signals, parameters, inputs, kept = {}, {}, x, []
    for layer, kind in layers.items():
        slope = None
        if kind == "Dense":
            out = inputs @ params[f"{layer}/weight"] + params.get(f"{layer}/bias", 0.0)
        else:
            out = {"Tanh": np.tanh, "Relu": lambda z: np.maximum(z, 0), "Linear": lambda z: z}[kind](inputs)
            slope = {"Tanh": 1 - out**2, "Relu": (inputs > 0).astype(float), "Linear": np.ones_like(out)}[kind]
        kept.append((layer, inputs, out, slope))
        inputs = out
    if not is_class:
        delta = out - target
    elif out.shape[1] == 1:
        delta = 1 / (1 + np.exp(-out)) - target
    else:
        shares = np.exp(out - out.max(1, keepdims=True))
        delta = shares / shares.sum(1, keepdims=True) - target
    for layer, inputs, out, slope in reversed(kept):
        signals[layer] = {
            "mean": out.mean(), "size": rms(out), "spread": np.sqrt(out.var(0).mean()), "zeros": np.mean(out == 0),
            "gradient": rms(delta),
        }  # fmt: skip
        if slope is None:
            for path, slopes in (("weight", inputs.T @ delta / len(x)), ("bias", delta.mean(0))):
                if f"{layer}/{path}" in params:
                    parameters[f"{layer}/{path}"] = figures(params[f"{layer}/{path}"], slopes)
            delta = delta @ params[f"{layer}/weight"].T
        else:
            signals[layer] |= {"flat": (slope < 0.05).mean(0).tolist(), "still": (slope == 0).mean(0).tolist()}
            delta = delta * slope
    return {layer: signals[layer] for layer in layers}, dict(reversed(parameters.items()))


def figures(value, slopes):
    has_units = value.ndim > 1
    return {
        "size": rms(value), "gradient": rms(slopes), "update": rms(slopes), "units": value.shape[-1], "descent": 1.0,
        "apart": rms(value - value.mean(-1, keepdims=True)) if has_units else None,
        "gradient_apart": rms(slopes - slopes.mean(-1, keepdims=True)) if has_units else None,
    }  # fmt: skip


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))
