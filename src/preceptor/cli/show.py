"""`preceptor show`."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from preceptor.cli.options import FilePlace, Place, Several, Whole
from preceptor.cli.sentences import (
    aligned,
    line,
    say_figures,
    say_mended,
    say_readings,
    say_transfer,
    say_weights,
    say_zeros,
    summary,
)
from preceptor.cli.sheet import write_sheet
from preceptor.cli.terminal import words_aside
from preceptor.data.pictures.augment import Augmentation, choose_augmentation
from preceptor.data.pictures.pictures import read_pictures
from preceptor.errors import ConfigError, ShapeError
from preceptor.evidence.layers import kind_of
from preceptor.job import Run, load
from preceptor.job.parts import augmentations_text
from preceptor.job.settings import HIDDEN, Settings
from preceptor.job.source_files import files_of
from preceptor.job.telling import division, examples, how_long, loss_name
from preceptor.nn import (
    Committee,
    Ensemble,
    Layer,
    Loss,
    MemberLoss,
    Residual,
    Sequential,
    Wired,
    count_parameters,
    initial_specs,
    linear_model,
    mlp,
    multiply_adds,
    output_spec,
    vision,
)
from preceptor.nn.joint import heads
from preceptor.nn.layer import Arrays, within
from preceptor.ops import Spec
from preceptor.tuning.ledger import is_search
from preceptor.words import amount, listing

BARS = " ▁▂▃▄▅▆▇█"
WIDTH = 60  # characters of a curve
FLOAT = np.dtype(np.float32)
WORDS = ("linear", "mlp", *vision.__all__)
LONGEST = 100_000  # places or features along one axis of an input


@click.command()
@click.argument("run", type=Place(), required=False)
@click.option("--model", type=click.Choice(WORDS), metavar="WORD", help=f"Show this ready network: {', '.join(WORDS)}.")
@click.option("--input", "size", metavar="SIZE", help="Size of its input: 224x224x3 for a picture, 20 for a table.")
@click.option(
    "--outputs",
    type=Whole(1, LONGEST),
    metavar="INTEGER",
    help=f"How many outputs it has.  [1 to {LONGEST:,}; default 10, alexnet 1,000]",
)
@click.option("--hidden", type=Several(int), metavar="N,N,...", help="Hidden layers of mlp.  [units; default 128,64]")
@click.option(
    "--augment",
    is_flag=False,
    flag_value="",
    metavar="[WORD,WORD,...]",
    help="Write a contact sheet instead: RUN is then a set of pictures, each drawn as it is and as training with "
    "these augmentations would change it; by the pictures if no word is given.",
)
@click.option("-o", "--output", type=FilePlace(), help="PNG of --augment.  [default sheet.png]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
def command(run: Path | None, as_json: bool, augment: str | None, output: Path | None, **asked: Any) -> None:
    """Shows what is known of RUN: data, network, learning curve, figures; of a search its best trials and its choice.

    With --model and --input instead of RUN: the layers of a ready network with the shapes of their outputs, parameters,
    operations and memory. With --augment: what augmentation does to pictures.
    """
    if augment is not None:
        if run is None:
            raise click.UsageError("Missing argument 'RUN': the pictures.", click.get_current_context())
        return show_pictures(run, augment, output or Path("sheet.png"))
    if output is not None:
        raise ConfigError("show: -o belongs to --augment. Leave it out.")
    if asked["model"] is None:
        if surplus := next((name for name, value in asked.items() if value is not None), None):
            raise ConfigError(
                f"show: --{surplus.replace('size', 'input')} belongs to a ready network. Name it by --model."
            )
        if run is None:
            raise click.UsageError("Missing argument 'RUN'.", click.get_current_context())
        if is_search(run):
            from preceptor.cli.show_search import show_search

            return show_search(run, as_json)
        return show_run(run, as_json)
    if run is not None:
        raise ConfigError(f"show: received {run} and --model {asked['model']}; one of them can be shown at a time.")
    return show_network(as_json=as_json, **asked)


def show_pictures(data: Path, augment: str, output: Path) -> None:
    """Writes a contact sheet of a set of pictures."""
    words_aside()
    chosen = Settings(augment=augment or None).augmentations()
    pictures = read_pictures(data, labelled=False)
    steps = choose_augmentation(pictures) if chosen is None else chosen
    plain = [each for each in steps if isinstance(each, Augmentation)]
    write_sheet(output, pictures, plain, read=files_of(data))
    height, width, channels = pictures.shape
    line("data", f"{pictures.name}: {pictures.rows:,} pictures of {height} × {width} × {channels}")
    for note in pictures.notes:
        line("", note)
    line("augment", augmentations_text(steps))
    if len(plain) < len(steps):
        line("", "Mixing is not drawn: it is of the pictures of a batch, not of one.")
    line("sheet", f"{output}: each picture as it is, and below it as training would change it")


def show_network(
    model: str, size: str | None, outputs: int | None, hidden: tuple[int, ...] | None, as_json: bool
) -> None:
    """What a ready network is made of, and what one example costs in it."""
    if size is None:
        raise ConfigError(f"show: --model {model} needs the size of its input, such as --input 224x224x3.")
    if hidden is not None and model != "mlp":
        raise ConfigError(f"show: --hidden is of mlp alone; {model} has its own layers. Leave it out.")
    shape = input_shape(size)
    outputs = outputs or (1000 if model == "alexnet" else 10)
    if model in vision.__all__:
        network = getattr(vision, model)(outputs)
        if len(shape) != 3:
            raise ConfigError(f"show: --input {size}: {model} needs height, width and channels, such as 224x224x3.")
    else:
        network = linear_model(outputs) if model == "linear" else mlp(HIDDEN if hidden is None else hidden, outputs)
    given = Spec((1, *shape), FLOAT)
    try:
        params, state = initial_specs(network, given)
    except ShapeError as error:
        where = " ".join(str(error).split()[:2])  # the layer and its class
        raise ConfigError(
            f"show: --input {size} is too small for {model}: at {where} no window fits any more. Take larger pictures."
        ) from None
    rows = []
    for name, layer, out in network.walk(params, state, given):
        own, kept = within(params, name), within(state, name)
        rows.append(
            {
                "name": name,
                "class": type(layer).__name__,
                "shape": list(out.shape[1:]),
                "parameters": count_parameters(own),
                "multiply_adds": multiply_adds(layer, own, kept, given),
                "activation_bytes": outputs_within(layer, own, kept, given) * FLOAT.itemsize,
            }
        )
        given = out
    total = {word: sum(row[word] for row in rows) for word in ("parameters", "multiply_adds", "activation_bytes")}
    line("network", f"{model} for an input of {times(shape)}, float32; figures are for one example")
    table = [("", "", "output", "parameters", "multiply-adds", "memory")]
    table += [(row["name"], row["class"], times(row["shape"]), *figures(row)) for row in rows]
    table.append(("in all", "", "", *figures(total)))
    for text in aligned(table, right=2):
        line("", text)
    weights = binary_size(total["parameters"] * FLOAT.itemsize)
    line("", f"The parameters take {weights}. Multiply-adds: of products and convolutions. Memory: of all outputs.")
    if as_json:
        print(json.dumps({"model": model, "input": list(shape), "outputs": outputs, **total, "layers": rows}))


def outputs_within(layer: Layer, params: Arrays, state: Arrays, spec: Spec) -> int:
    """How many numbers the outputs of a layer hold, and those of the layers in it."""
    if isinstance(layer, Sequential):
        specs = [spec, *(out for _, _, out in layer.walk(params, state, spec))]
        parts = list(zip(layer.names, layer.layers, specs, strict=False))
    elif isinstance(layer, Residual):
        both = (("block", layer.block), ("projection", layer.projection))
        parts = [(name, part, spec) for name, part in both if part is not None]
    elif isinstance(layer, Wired):
        parts = list(layer.walk(params, state, spec))
    else:
        parts = []
    inner = sum(outputs_within(part, within(params, n), within(state, n), given) for n, part, given in parts)
    return inner + (0 if isinstance(layer, Sequential) else output_spec(layer, params, state, spec).size)


def input_shape(size: str) -> tuple[int, ...]:
    """224x224x3 as numbers."""
    if not re.fullmatch(r"\d{1,6}([x×]\d{1,6}){0,3}", size):
        raise ConfigError(
            f"show: --input is {size!r}; one to four whole numbers with x between are required: 224x224x3."
        )
    shape = tuple(map(int, re.split("[x×]", size)))
    if not all(1 <= length <= LONGEST for length in shape):
        raise ConfigError(f"show: --input is {size}; each number must be 1 to {LONGEST:,}.")
    return shape


def times(shape: Sequence[int]) -> str:
    """The shape of one example."""
    return " × ".join(map(str, shape))


def figures(row: dict[str, Any]) -> tuple[str, str, str]:
    """Parameters, multiply-adds and memory as text."""
    return f"{row['parameters']:,}", f"{row['multiply_adds']:,}", binary_size(row["activation_bytes"])


def binary_size(count: int) -> str:
    """Bytes in the unit that suits."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"


def show_run(run: Path, as_json: bool) -> None:
    """What is known of a run."""
    trained = load(run)
    facts = trained.facts
    line("data", f"{facts['data']}: {examples(facts['rows'], trained.preprocessor)}")
    for sentence in trained.preprocessor.lines():
        line("", sentence)
    parts = facts["split"]
    line("split", division(parts["train"], parts["dev"], parts["test"], facts.get("folds", 0)))
    say_weights(facts)
    say_transfer(facts, placed=False)
    say_layers(trained)
    line("engine", facts["engine"])
    line("training", how_long(facts))
    line("", facts["outcome"])
    say_zeros(facts)
    say_readings(trained)
    metric = trained.metric
    chosen = () if metric is None else (("dev", metric.figure, max if metric.is_high_better else min),)
    for part, figure, best in (("train", "loss", min), ("dev", "loss", min), *chosen):
        values = [entry[f"{part}_{figure}"] for entry in trained.history if entry.get(f"{part}_{figure}") is not None]
        if values:
            said, word = figure.replace("_", " "), "lowest" if best is min else "highest"
            course = f"{said} {amount(values[0], 3)} → {amount(values[-1], 3)}, {word} {amount(best(values), 3)}"
            line(part, f"{curve(values)}  {course}")
    say_figures(trained)
    say_mended(facts)
    if as_json:
        print(json.dumps(summary(trained)))


def say_layers(run: Run) -> None:
    """A line for each layer: output shape and parameters."""
    line("network", f"{run.parameters:,} parameters, {loss_name(run.loss)}")
    network, params, state = run.network, run.params, run.state
    if isinstance(network, Ensemble):
        line("", f"{network.count} networks, averaged; the layers of each:")
        network, params, state = network.first(params, state)
    if isinstance(network, Committee):
        each = [network_shares(loss, len(network.networks)) for loss, _ in heads(run.loss)]
        for number, (name, part) in enumerate(network.parts()):
            if len(each) == 1:
                counts = f"{each[0][number]:.0%} in the prediction"
            else:
                shares = zip(run.targets, each, strict=True)
                counts = listing(f"{own[number]:.0%} in that of {target.name}" for target, own in shares)
            line("", f"{name}, which counts {counts}:")
            _say_layers_of(run, part, within(params, name), within(state, name))
    else:
        _say_layers_of(run, network, params, state)


def network_shares(loss: Loss, networks: int) -> list[float]:
    """What each network of a committee counts, 1 in all."""
    shares = loss.shares if isinstance(loss, MemberLoss) else ()
    return [sum(part) for part in np.array_split(shares, networks)] if shares else [1 / networks] * networks


def _say_layers_of(run: Run, network: Layer, params: Arrays, state: Arrays) -> None:
    if not isinstance(network, Sequential):
        return
    spec = Spec((1, *run.preprocessor.input_shape), next(iter(run.params.values())).dtype)
    table = [("", "", "output", "parameters")]
    for name, layer, out in network.walk(params, state, spec):
        own = sum(p.size for p in within(params, name).values())
        table.append((name, kind_of(layer), times(list(out.shape[1:])), f"{own:,}"))
    for text in aligned(table, right=2):
        line("", text)


def curve(values: list[float]) -> str:
    """A row of bars: the values over time, on a logarithmic scale where all are above 0."""
    numbers = np.array(values, float)
    chosen = np.linspace(0, len(numbers) - 1, min(WIDTH, len(numbers))).round().astype(int)
    numbers = np.log(numbers[chosen]) if (numbers > 0).all() else numbers[chosen]
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    scaled = np.nan_to_num((numbers - low) / (high - low or 1)) * (len(BARS) - 2)
    return "".join(BARS[1 + round(float(value))] for value in scaled)
