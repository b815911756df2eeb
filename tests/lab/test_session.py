"""What the page's trainings do, in node: as Python did, back again, with units off, with findings, with own data."""

import json
import subprocess
import sys
from typing import get_type_hints

import numpy as np
import pytest
from in_node import needs_node, session

from preceptor import nn, train
from preceptor.graph import call
from preceptor.lab.experiment import Figures, Replay
from preceptor.lab.experiments import EXPERIMENTS
from preceptor.lab.replay import replayed
from preceptor.ops import Spec
from preceptor.train import Adam
from preceptor.train.step import first_state, hyper_values, make_step

REPLAYING = [each.name for each in EXPERIMENTS if get_type_hints(each.run)["return"].replays is not Figures.replays]
pytestmark = needs_node


@pytest.fixture(scope="module")
def spec():
    from preceptor.lab.experiments.playground import playground

    return playground(steps=60).replays()[0].to_dict()


@pytest.mark.parametrize("name", REPLAYING)
def test_every_run_that_a_page_has_is_made_again(found, name):
    for replay in found(name).replays():
        data = replay.to_dict()
        assert data["runs"] or data["batch_size"] < len(data["data"][0]["y"])
        losses = session(
            data,
            "return spec.runs.map(run => { s.reset({ data: run.data, network: run.network });"
            " s.step(run.losses[run.losses.length - 1][0]); return run.losses.map(each => s.losses[each[0] - 1]); });",
        )
        for run, here in zip(data["runs"], losses, strict=True):
            np.testing.assert_allclose(here, [loss for _, loss in run["losses"]], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", REPLAYING)
def test_each_network_of_a_page_trains_as_the_engine_does(found, name):
    script = """
      return spec.networks.map((_, network) => {
        s.reset({ network, data: spec.data.length - 1 });
        const steps = Array.from({ length: 8 }, (_, step) => step);
        const batches = steps.map(step => Object.values(s.batch(step)).map(each => Array.from(each)));
        s.step(8);
        const params = Object.keys(s.network().first).map(path => [path, Array.from(s.state["state/params/" + path])]);
        return [batches, s.losses, params, Array.from(s.see(s.set().x).predicted.values)];
      });
    """
    for replay in found(name).replays():
        data = replay.to_dict()
        loss, optimiser = eval(replay.parts[0], {"nn": nn}), eval(replay.parts[1], vars(train))
        assert hyper_values(optimiser, ()) == data["hyper"]
        hyper = {key: np.asarray(value, np.float64) for key, value in data["hyper"].items()}
        hyper["learning_rate"] = np.asarray(data["learning_rate"], np.float64)
        x = np.reshape(data["data"][-1]["x"], (-1, len(data["features"])))
        for own, (batches, losses, params, predicted) in zip(data["networks"], session(data, script), strict=True):
            network = eval(own["source"], {"nn": nn})
            first = {path: np.reshape(each["data"], each["shape"]).astype(float) for path, each in own["first"].items()}
            state, program = first_state(first, {}, optimiser, 0), None
            for number, (rows, wanted) in enumerate(batches, 1):
                rows = np.reshape(rows, (data["batch_size"], -1))
                wanted = np.reshape(wanted, (len(rows), -1) if data["targets"] else len(rows))
                wanted = wanted[:, 0] if isinstance(loss, nn.SoftmaxCrossEntropy) else wanted
                batch = {"x": rows, "y": wanted.astype(loss.prepared(np.zeros(1, int), 2, np.float64).dtype)}
                program = program or make_step(network, loss, optimiser, (), state, batch)
                state, figures = call(program, (state, batch, hyper | {"step": np.int32(number)}))
                assert losses[number - 1] == pytest.approx(float(figures["loss"]), rel=1e-6, abs=1e-12)
            for path, values in params:
                np.testing.assert_allclose(values, np.ravel(state["params"][path]), rtol=1e-6, atol=1e-9)
            says = loss.predict(network.apply(state["params"], {}, x, train=False, key=None)[0])
            np.testing.assert_allclose(predicted, np.ravel(says), rtol=1e-6, atol=1e-9)


def test_back_is_where_one_was_and_so_is_the_link(spec):
    script = """
      s.reset({ seed: 5, sd: 0.3 });
      s.step(70); s.change("r", 0.01); s.step(30); s.change("u", "hidden1.3"); s.step(40);
      const word = s.word(), losses = s.losses.slice(), weights = s.state["state/params/hidden1/weight"];
      s.back(90); s.step(50);
      const again = s.losses.slice();
      const other = new Session(spec);
      other.read(word);
      return [losses, again, other.losses, other.word() === word, Array.from(weights),
              Array.from(other.state["state/params/hidden1/weight"]), s.off(), s.rate()];
    """
    losses, again, linked, is_same, weights, others, off, rate = session(spec, script)
    assert losses == again == linked
    assert is_same
    assert weights == others
    assert (off, rate) == (["hidden1.3"], 0.01)


def test_each_step_back_is_the_state_that_was_there_to_the_bit(spec):
    script = """
      const plain = all => Object.values(all).map(each => Array.from(each));
      const before = () => s.before && plain(s.before.state);
      const there = () => JSON.stringify([s.losses, plain(s.state), plain(s.gradient()), before()]);
      s.reset({ seed: 3 });
      const seen = [there()], back = [];
      for (let step = 1; step <= 120; step++) {
        if (step === 30) s.change("r", 0.2);
        if (step === 77) s.change("u", "hidden1.1");
        s.step(1);
        seen.push(there());
      }
      while (s.steps() > 0) { back.unshift(there()); s.back(s.steps() - 1); }
      back.unshift(there());
      return [seen.length, seen.every((each, at) => each === back[at]), new Set(seen).size];
    """
    assert session(spec, script) == [121, True, 121]


def test_a_unit_that_is_off_is_as_one_that_is_not_there(spec):
    script = """
      s.change("u", "hidden1.0"); s.change("u", "hidden1.1");
      ["hidden1.2", "hidden1.3", "hidden1.4", "hidden1.5"].forEach(name => s.change("u", name));
      const first = Object.fromEntries(Object.entries(s.state).map(([name, v]) => [name, Array.from(v)]));
      s.step(20);
      return [first, Object.fromEntries(Object.entries(s.state).map(([name, v]) => [name, Array.from(v)])), s.losses];
    """
    first, last, losses = session(spec, script)
    path = "state/params/hidden1/weight"
    before, after = (np.reshape(each[path], (2, 8)) for each in (first, last))
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert (before[:, 6:] != after[:, 6:]).all()
    w, b = before[:, 6:], np.zeros(2)  # the network of the two that are left, by hand
    v, c = np.reshape(first["state/params/output/weight"], (8, 1))[6:], np.zeros(1)
    x, y = np.reshape(spec["data"][0]["x"], (-1, 2)), np.array(spec["data"][0]["y"])[:, None]
    velocity = [np.zeros_like(each) for each in (w, b, v, c)]
    for loss in losses:
        a = np.tanh(x @ w + b)
        z = a @ v + c
        assert loss == pytest.approx(np.mean(np.logaddexp(0, z) - y * z), rel=1e-9)
        delta = (1 / (1 + np.exp(-z)) - y) / len(y)
        hidden = delta @ v.T * (1 - a * a)
        slopes = (x.T @ hidden, hidden.sum(0), a.T @ delta, delta.sum(0))
        velocity = [0.9 * one + slope for one, slope in zip(velocity, slopes, strict=True)]
        w, b, v, c = (p - 0.5 * one for p, one in zip((w, b, v, c), velocity, strict=True))


def test_gradients_are_those_that_caused_the_update(spec):
    script = """
      s.step(1);
      const name = "state/params/hidden1/weight", slopes = s.gradient()["hidden1/weight"];
      return [Array.from(s.before.state[name]), Array.from(slopes), Array.from(s.state[name]), s.rate()];
    """
    before, slopes, after, rate = session(spec, script)
    np.testing.assert_allclose(np.array(before) - rate * np.array(slopes), after, rtol=1e-12)  # momentum's first step


@pytest.mark.parametrize(
    "change, name",
    [
        ("s.reset({ sd: 0 }); s.step(5)", "zero_or_symmetric_weights"),
        ("s.reset({ scale: 100 }); s.step(5)", "unscaled_inputs"),
        ("s.reset({ scale: 100 }); s.step(5)", "saturated_units"),
        ("s.change('r', 50); s.step(120)", "diverging"),
        ("s.reset({ network: 3 }); s.change('r', 1e200); s.step(9)", "nan_inf"),
        ("s.reset({ network: 3 }); s.change('r', 50); s.step(40)", "dead_relu"),
    ],
)
def test_what_is_broken_is_named_by_the_doctors_rule(spec, change, name):
    names = session(spec, f"{change}; return s.findings(s.see(s.set().x)).map(each => each.name);")
    assert name in names


def test_what_is_well_is_not_named(spec):
    assert session(spec, "s.step(60); return s.findings(s.see(s.set().x));") == []


def test_drawn_numbers_are_normal_and_hang_on_the_seed(spec):
    script = """
      const draw = uniform => Array.from({ length: 20000 }, () => Session.normal(uniform));
      return [1, 1, 2].map(seed => draw(Session.generator(seed)));
    """
    one, again, other = np.array(session(spec, script))
    np.testing.assert_array_equal(one, again)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    for drawn in (one, other):
        assert abs(drawn.mean()) < 0.03
        assert abs(drawn.std() - 1) < 0.02
        assert abs(np.mean(np.abs(drawn) < 1) - 0.6827) < 0.012  # of a normal distribution


def test_own_rows_are_learned_and_wrong_ones_are_named(spec):
    script = """
      const wrong = text => { try { s.own(text); return ""; } catch (error) { return error.message; } };
      const said = [wrong("1,2"), wrong("a,b,c\\n1,2,x"), wrong("1,2,x\\n1,z,y"), wrong("1,2,x\\n1,3,y\\n1,4,z")];
      s.own("a;b;class\\n0;0;no\\n0;1;yes\\n1;0;yes\\n1;1;no\\n");
      s.step(150);
      return [said, s.classes(), s.set().y, s.losses[149], s.right(s.see(s.set().x))];
    """
    said, classes, y, loss, right = session(spec, script)
    assert said == [
        "At least two rows are needed: 2 numbers and a class in each.",
        "At least two rows are needed: 2 numbers and a class in each.",
        "Row 2: z is no number.",
        "There are 3 classes; this network tells 2 apart.",
    ]
    assert (classes, y, right) == (["no", "yes"], [0, 1, 1, 0], 1)
    assert loss < 0.1


def test_the_script_that_is_saved_trains_the_same(spec, tmp_path):
    words, losses = session(spec, "s.reset({ seed: 9 }); s.step(12); return [s.python(), s.losses];")
    script = tmp_path / "saved.py"
    script.write_text(words)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    python = [float(line.split()[1]) for line in done.stdout.splitlines()]
    np.testing.assert_allclose(python, losses, rtol=1e-9)


def test_weights_that_are_saved_have_the_networks_shapes(spec):
    saved = json.loads(session(spec, "s.step(3); return s.weights();"))
    network = eval(saved["network"], {"nn": nn})
    params, _ = network.init(np.random.default_rng(0), Spec((1, 2), np.dtype(float)))
    assert {path: list(value.shape) for path, value in params.items()} == {
        path: each["shape"] for path, each in saved["params"].items()
    }


@pytest.mark.parametrize(
    "loss, units", [(nn.SoftmaxCrossEntropy(), 3), (nn.Quadratic(), 1)], ids=["classes", "numbers"]
)
def test_small_batches_of_more_inputs_are_as_the_engine_has_them(loss, units):
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(30, 4)), 3)
    y = np.argmax(x[:, :3], 1) if units == 3 else np.round(x[:, 0] - x[:, 1], 3)
    network = nn.mlp((5,), units, activation=nn.Sigmoid())
    target = loss.prepared(y, units, np.float64)
    first = network.init(rng, Spec((10, 4), np.dtype(float)))[0]
    specs = Spec((10, 4), np.dtype(float)), Spec((10, *target.shape[1:]), target.dtype)
    made = replayed("net", network, loss, Adam(), first, *specs, 7, "nn.mlp((5,), 3)")
    classes = ("a", "b", "c")[:units] if units == 3 else ()
    targets = loss.prepared(np.arange(3), 3, np.float64) if classes else None
    replay = Replay(
        "some", "Some rows", [made], {"rows": (x, y)}, ("p", "q", "r", "s"), classes, targets, 0.02,
        hyper_values(Adam(), ()), 10, 0, ("nn.SoftmaxCrossEntropy()", "Adam()"), 7,
        constant="entropy" if units == 3 else "variance",
    )  # fmt: skip
    script = """
      const batches = [0, 1, 2, 3, 4, 5].map(step => Object.values(s.batch(step)).map(each => Array.from(each)));
      s.step(6);
      const seen = s.see(s.set().x);
      return [batches, s.losses, Array.from(seen.predicted.values), s.right(seen), s.findings(seen)];
    """
    batches, losses, predicted, right, findings = session(replay.to_dict(), script)
    for epoch in (batches[:3], batches[3:]):  # every row once
        rows = np.concatenate([np.reshape(each, (10, 4)) for each, _ in epoch])
        np.testing.assert_array_equal(np.sort(rows, 0), np.sort(x, 0))
    params = {path: np.asarray(value, np.float64) for path, value in first.items()}
    state = first_state(params, {}, Adam(), 0)
    program = make_step(network, loss, Adam(), (), state, {"x": specs[0], "y": specs[1]})
    own = hyper_values(Adam(), ()) | {"learning_rate": 0.02}
    for number, (rows, wanted) in enumerate(batches, 1):
        hyper = {name: np.asarray(value, np.float64) for name, value in own.items()} | {"step": np.int32(number)}
        given = np.asarray(wanted, target.dtype).reshape(specs[1].shape)
        state, figures = call(program, (state, {"x": np.reshape(rows, (10, 4)), "y": given}, hyper))
        assert losses[number - 1] == pytest.approx(float(figures["loss"]), rel=1e-9)
    says = loss.predict(network.apply(state["params"], {}, x, train=False, key=None)[0])
    np.testing.assert_allclose(predicted, np.ravel(says), rtol=1e-9)
    assert right == (pytest.approx(np.mean(np.argmax(says, 1) == y)) if classes else None)
    assert findings == []
