"""`preceptor show`."""

import json
from pathlib import Path

import click
import numpy as np

from preceptor.cli.fit import duration, line, loss_name, say_figures, summary
from preceptor.nn import Sequential
from preceptor.nn.layer import within
from preceptor.ops import Spec
from preceptor.train import Run, load

BARS = " ▁▂▃▄▅▆▇█"
WIDTH = 60  # characters of a curve


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
def command(run: Path, as_json: bool) -> None:
    """Shows what is known of RUN: data, network, learning curve, figures."""
    trained = load(run)
    facts = trained.facts
    line("data", f"{facts['data']}: {facts['rows']:,} rows, {facts['features']:,} features")
    for sentence in trained.preprocessor.lines():
        line("", sentence)
    parts = facts["split"]
    line("split", f"{parts['train']:,} to train, {parts['dev']:,} dev, {parts['test']:,} test")
    say_layers(trained)
    line("engine", facts["engine"])
    line("training", f"{facts['epochs']:,} epochs in {duration(facts['seconds'])}, best after {facts['best_epoch']:,}")
    line("", facts["outcome"])
    for name in ("train_loss", "dev_loss"):
        values = [entry[name] for entry in trained.history if entry.get(name) is not None]
        if values:
            fall = f"loss {values[0]:.3g} → {values[-1]:.3g}, lowest {min(values):.3g}"
            line(name.removesuffix("_loss"), f"{curve(values)}  {fall}")
    say_figures(trained)
    if as_json:
        click.echo(json.dumps(summary(trained)))


def say_layers(run: Run) -> None:
    """A line for each layer: output shape and parameters."""
    line("network", f"{run.parameters:,} parameters, {loss_name(run.loss)}")
    if not isinstance(run.network, Sequential):
        return
    spec = Spec((1, run.preprocessor.features), next(iter(run.params.values())).dtype)
    for name, layer, out in run.network.walk(run.params, run.state, spec):
        own = sum(p.size for p in within(run.params, name).values())
        shape = " × ".join(str(length) for length in out.shape[1:])
        line("", f"{name:<14} {type(layer).__name__:<16} {shape:>8}  {own:>10,}")


def curve(values: list[float]) -> str:
    """A row of bars: the values over time, on a logarithmic scale where all are above 0."""
    numbers = np.array(values, float)
    chosen = np.linspace(0, len(numbers) - 1, min(WIDTH, len(numbers))).round().astype(int)
    numbers = np.log(numbers[chosen]) if (numbers > 0).all() else numbers[chosen]
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    scaled = np.nan_to_num((numbers - low) / (high - low or 1)) * (len(BARS) - 2)
    return "".join(BARS[1 + round(float(value))] for value in scaled)
