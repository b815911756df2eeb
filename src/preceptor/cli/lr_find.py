"""`preceptor lr-find`."""

import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np

from preceptor.cli.options import FilePlace, number_options, settings_options
from preceptor.cli.sentences import line, say_found
from preceptor.errors import ConfigError
from preceptor.job import make_settings, prepare
from preceptor.job.lr_find import FEWEST, HIGHEST, LOWEST, MOST, OWN, STEPS, RateTest, check_range, rate_test
from preceptor.job.parts import FAMILIES, own_numbers
from preceptor.job.settings import Settings
from preceptor.job.source_files import files_of
from preceptor.output import Output
from preceptor.report.rate_curve import rate_curve
from preceptor.words import amount

BARS = " ▁▂▃▄▅▆▇█"
WIDTH, LINES = 60, 8  # characters of the curve


@click.command(context_settings={"show_default": False})
@click.argument("data")
@settings_options(Settings, leave_out=OWN)
@number_options(own_numbers(*(name for name in FAMILIES if name not in OWN)))
@click.option("--steps", default=STEPS, help=f"How many rates are tried.  [{FEWEST} to {MOST:,}; default {STEPS}]")
@click.option("--lowest", default=LOWEST, help=f"The first rate.  [per step; above 0; default {LOWEST:g}]")
@click.option("--highest", default=HIGHEST, help=f"The last rate.  [per step; above the first; default {HIGHEST:g}]")
@click.option("-o", "--out", type=FilePlace(), help="Write the curve to this file, an SVG.")
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
def command(
    data: str,
    steps: int,
    lowest: float,
    highest: float,
    out: Path | None,
    no_header: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Looks for a good learning rate: trains on DATA while the rate grows, until the loss blows up.

    Settings are those of the training that the rate is for. Nothing is kept.
    """
    if out is not None and out.suffix.lower() != ".svg":
        raise ConfigError(f"lr-find: {out}: the picture is an SVG; the name must end in .svg.")
    settings = make_settings(given)
    check_range(steps, lowest, highest)
    place = None if out is None else Output(out, files_of(data), "lr-find: ")
    fitting = prepare(data, settings, header=not no_header)
    say_found(fitting.found)
    config = fitting.config
    line(
        "training",
        f"{fitting.settings.optimiser}, batches of {config.batch_size:,}; {steps:,} steps, rates {amount(lowest)} to "
        f"{amount(highest)}; {config.engine.name}",
    )
    found = rate_test(config, fitting.data, steps=steps, lowest=lowest, highest=highest)
    say_curve(found)
    say_rates(found, config.learning_rate)
    if place is not None:
        with place.text() as file:
            file.write(rate_curve(found))
        line("picture", str(out))
    if as_json:
        rates = {"suggestion": found.suggestion, "steepest": found.steepest, "blow_up": found.blow_up}
        print(json.dumps(rates | {"steps": len(found.rates)}))


def say_rates(found: RateTest, usual: float) -> None:
    """What the test says, and what to do next."""
    if found.steepest is None:
        line("steepest", "the loss never fell: no rate is suggested. See preceptor check DATA, or try more steps.")
    else:
        line("steepest", f"at the rate {amount(found.steepest, 2)} the loss falls fastest")
    if found.blow_up is None:
        line("blow-up", f"none up to {amount(found.rates[-1], 2)}")
    else:
        line("blow-up", f"at the rate {amount(found.blow_up, 2)}; a tenth of it is {amount(found.blow_up / 10, 2)}")
    if found.suggestion is not None:
        line("suggested", f"--learning-rate {amount(found.suggestion, 2)}; fit takes {amount(usual)} by itself")


def say_curve(found: RateTest) -> None:
    """The smoothed loss over the rate, on a logarithmic axis, in rows of bars."""
    columns = np.array_split(found.smoothed, min(WIDTH, len(found.smoothed)))
    heights = np.array([each.mean() for each in columns])
    top = max(float(heights.max()), 1e-12)
    eighths = np.round(heights / top * LINES * 8)
    for number in range(LINES):
        below = (LINES - 1 - number) * 8
        bars = "".join(BARS[int(np.clip(each - below, 0, 8))] for each in eighths)
        line("loss" if number == 0 else "", f"{bars} {amount(top, 3)}" if number == 0 else bars)
    axis = [" "] * (len(heights) + 8)
    low, high = math.log10(found.rates[0]), math.log10(found.rates[-1])
    free = 0
    for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1):
        at, words = round((power - low) / (high - low) * (len(heights) - 1)), f"{10.0**power:.0e}"
        if at >= free:
            axis[at : at + len(words)] = words
            free = at + len(words) + 1
    line("rate", "".join(axis))
