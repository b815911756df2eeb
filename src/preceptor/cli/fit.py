"""`preceptor fit`: the main job."""

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from textwrap import wrap
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from preceptor.cli.options import number_options, settings_options
from preceptor.diagnose import Observation
from preceptor.engines import advice, agreed, is_first_process
from preceptor.errors import ConfigError
from preceptor.job import Fitting, Outcome, Run, make_settings, preparing, resuming
from preceptor.job.parts import own_numbers
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.run import check_out, figures_as_json
from preceptor.job.settings import MODELS, Settings
from preceptor.job.stages import Result, Stages
from preceptor.nn import Loss, MemberLoss, count_parameters
from preceptor.nn.layer import within
from preceptor.train import Figure, Record
from preceptor.train.loop import initial_values
from preceptor.words import listing

EXIT_CODES = {Outcome.DIVERGED: 1, Outcome.INTERRUPTED: 130}
LEVELS = {"refuse": "refused", "warn": "warning", "note": "note"}
LOG_SECONDS = 15.0  # between two lines of a preparation where the output is no terminal
LOG_LINES = 10  # progress lines of a whole training where the output is no terminal


@click.command(context_settings={"show_default": False})
@click.argument("data", required=False)
@settings_options(Settings)
@number_options(own_numbers())
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the run; runs/NAME-1, -2, ... if left out.")
@click.option("--resume", "begun", type=click.Path(path_type=Path), help="Go on with an unfinished run in this folder.")
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.pass_context
def command(
    context: click.Context,
    /,
    data: str | None,
    out: Path | None,
    begun: Path | None,
    no_header: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Trains a network on DATA: a table in a file (.csv, .tsv, .parquet, .jsonl, .npy, .npz, packed or not), digits,
    iris, or pictures: a folder or zip file with a sub-folder for each class, IDX or CIFAR files.

    A run that was broken off, by Ctrl-C or by the machine, goes on with --resume RUN and ends in the same bits as one
    that never was; its settings are those it was begun with.

    Exit codes: 0 done, 1 the loss became infinite, 2 a mistake in settings or data, 130 interrupted (the best weights
    so far are saved).
    """
    if not is_first_process():
        context.with_resource(quiet())
    if begun is not None:
        fitting = _resumed(context, begun, data)
    elif data is None:
        raise click.UsageError("Missing argument 'DATA'.", context)
    else:
        settings = make_settings(given)
        if out is not None:
            check_out(out)
        fitting = watched(preparing(data, settings, header=not no_header))
        fitting.open_folder(out or free_name(fitting.seen.table.name))
    say_plan(fitting)
    with stop_on_signal() as stopped, progress_shown(fitting) as show:
        for number, record in enumerate(fitting.records()):
            if number == 0 and record.loop.step_bytes is not None:
                line("memory", f"{record.loop.step_bytes / 2**20:,.1f} MiB for a step, beside the network and the data")
            show(record)
            if agreed(bool(stopped)):  # by any of the processes that train together
                break
    run = fitting.finish()
    say_result(fitting, run)
    if as_json:
        click.echo(json.dumps(summary(run)))
    return EXIT_CODES.get(fitting.outcome, 0)


def _resumed(context: click.Context, begun: Path, data: str | None) -> Fitting:
    """The unfinished run in a folder, ready to go on; settings on the command line would contradict its own."""
    chosen = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in ("data", "begun", "as_json")
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    if chosen:
        raise ConfigError(
            f"fit: {', '.join(chosen)} beside --resume; a run goes on with its own settings. Leave it out."
        )
    fitting, notes = watched(resuming(begun, data))
    for note in notes:
        line("resumed", note)
    return fitting


def bar(console: Console) -> Progress:
    """A moving line with a bar and a text; nothing where the output is no terminal."""
    columns = (BarColumn(bar_width=12), TextColumn("{task.description}", table_column=Column(no_wrap=True)))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def watched(stages: Stages[Result]) -> Result:
    """What a preparation leads to, shown while it goes on: a moving line on a terminal, else a line at times."""
    console = Console(stderr=True)
    began = said = time.monotonic()
    with bar(console) as progress:
        task = progress.add_task("", total=None)
        while True:
            try:
                stage = next(stages)
            except StopIteration as end:
                return end.value
            now = time.monotonic()
            text = stage.text
            if not stage.done:
                began = now
            if stage.done and stage.total:
                left = (now - began) / stage.done * (stage.total - stage.done)
                text += f" {stage.done:,} of {stage.total:,} rows, {duration(left)} left"
            progress.update(task, description=text, completed=stage.done, total=stage.total or None)
            if not console.is_terminal and now - said >= LOG_SECONDS:
                said = now
                print(f"{'':9} {text}", file=sys.stderr, flush=True)


def say_plan(fitting: Fitting) -> None:
    """What was read, the split, the network, the engine: printed before training starts."""
    table, config, parts = fitting.seen.table, fitting.config, fitting.seen.parts
    shape = " × ".join(f"{length:,}" for length in fitting.preprocessor.input_shape)
    is_table = len(fitting.preprocessor.input_shape) == 1
    line("data", f"{table.name}: {table.rows:,} {f'rows, {shape} features' if is_table else f'pictures of {shape}'}")
    for sentence in (*table.notes, *fitting.seen.notes, *fitting.preprocessor.lines()):
        line("", sentence)
    say_found(fitting.found)
    sizes = f"{len(parts.train):,} to train, {len(parts.dev):,} dev, {len(parts.test):,} test"
    line("split", f"{sizes}; {fitting.seen.how}, seed {config.seed}")
    chosen = fitting.settings
    if isinstance(fitting.seen, PictureSurvey):
        line("augment", ", ".join(map(str, fitting.seen.augmentations(chosen))) or "nothing")
    params, _ = initial_values(config, fitting.data)
    one = within(params, "network1") if chosen.ensemble > 1 else params
    layers = [p.shape[-1] for path, p in one.items() if path.endswith("/weight")]
    widths = " → ".join([shape, *(f"{width:,}" for width in layers)])
    unit = f", {chosen.activation}" if len(layers) > 1 and chosen.model in MODELS else ""
    members = f", {chosen.ensemble} networks averaged, each" if chosen.ensemble > 1 else ""
    if (chosen.members or 1) > 1:
        members += f"{' of' if members else ','} {chosen.members} members trained as one, each"
    line("network", f"{chosen.model}{members} {widths}{unit}; {count_parameters(params):,} parameters")
    line("engine", f"{config.engine.name}, {config.engine.precision}")
    if slow := advice(chosen.engine, config.engine):
        line("", slow)
    line(
        "training",
        f"{fitting.settings.optimiser}, rate {config.learning_rate:g} {fitting.settings.schedule}, "
        f"batches of {config.batch_size:,}, at most {config.epochs:,} epochs; {loss_name(config.loss)}",
    )


def loss_name(loss: Loss) -> str:
    """The class of a loss; of an ensemble's, that of each member."""
    return type(loss.loss if isinstance(loss, MemberLoss) else loss).__name__


def say_found(found: list[Observation]) -> None:
    """What the gate saw in a table, each observation under its level."""
    for before, each in zip([None, *found], found, strict=False):
        line("" if before and before.level == each.level else LEVELS[each.level], " ".join(each.text.split()))


def say_result(fitting: Fitting, run: Run) -> None:
    """The figures with their intervals, and where things are."""
    facts = run.facts
    line("done", f"{facts['epochs']:,} epochs in {duration(facts['seconds'])}, best after {facts['best_epoch']:,}")
    line("", fitting.outcome.value)
    say_figures(run)
    line("run", f"{run.path}: {listing(sorted(each.name for each in run.path.iterdir()))}" if run.path else "")
    if fitting.outcome is Outcome.INTERRUPTED:
        line("next", f"preceptor fit --resume {run.path}")
    else:
        line("next", f"preceptor predict {run.path} NEW.csv -o predictions.csv")


def say_figures(run: Run) -> None:
    """A table of the figures of the dev and test parts with their 95 % intervals."""
    parts = [(name, found) for name, found in (("dev", run.dev), ("test", run.test)) if found]
    if not parts:
        return
    heads = [f"{name}, {_rows(found):,} rows".ljust(30) for name, found in parts]
    names = dict.fromkeys(name for _, found in parts for name in found)
    width = max(10, *(len(name) + 2 for name in names))
    line("figures", f"{'':<{width}}" + "".join(heads))
    for name in names:
        cells = [str(found[name]).removeprefix(f"{name} ") if name in found else "" for _, found in parts]
        line("", f"{name.replace('_', ' '):<{width}}" + "".join(cell.ljust(30) for cell in cells))
    line("", "In brackets: 95 % intervals.")


def _rows(found: dict[str, Figure]) -> int:
    return next(iter(found.values())).rows


def line(word: str, text: str) -> None:
    """One line of output with its word in the margin; on a terminal it is broken at the terminal's width."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    first, *rest = wrap(text, max(width - 10, 30), drop_whitespace=True, replace_whitespace=False) or [""]
    click.echo(f"{word:<9} {text.rstrip() if not rest else first}")
    for each in rest:
        click.echo(f"{'':9} {each}")


def summary(run: Run) -> dict[str, Any]:
    """The JSON object of `--json`."""
    facts = run.facts
    return {
        "rows": facts["rows"],
        "features": facts["features"],
        "parameters": run.parameters,
        "engine": facts["engine"],
        "epochs": facts["epochs"],
        "seconds": facts["seconds"],
        "dev": figures_as_json(run.dev),
        "test": figures_as_json(run.test),
        "run": str(run.path),
    }


def free_name(name: str) -> Path:
    """The first of runs/NAME-1, runs/NAME-2, ... that does not exist."""
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem).strip("-") or "run"
    number = 1
    while (path := Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return path


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed: of processes that train together, the first speaks for all."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """A list that is empty until SIGINT or SIGTERM comes: the call in the engine ends, the best weights are saved."""
    heard: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_shown(fitting: Fitting) -> Iterator[Any]:
    """A function that shows a record: a moving line on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    clock = Clock()
    if not console.is_terminal:
        printed = 0

        def log(record: Record) -> None:
            nonlocal printed
            left = clock.left(record)
            due = int(LOG_LINES * record.step / record.steps)
            if record.is_epoch_end and due > printed:
                printed = due
                print(f"{'':9} {progress_text(fitting, record, left)}", file=sys.stderr, flush=True)

        yield log
        return
    with bar(console) as progress:
        task = progress.add_task("compiling", total=None)

        def show(record: Record) -> None:
            text = progress_text(fitting, record, clock.left(record))
            progress.update(task, total=record.steps, completed=record.step, description=text)

        yield show


class Clock:
    """Estimates the time left from the pace since the first record, which compiling held up."""

    def __init__(self) -> None:
        self.first: Record | None = None

    def left(self, record: Record) -> float | None:
        """Seconds left; None as long as there is no pace to tell them from."""
        first = self.first = self.first or record
        if record.step == first.step:
            return None
        pace = (record.seconds - first.seconds) / (record.step - first.step)
        return pace * (record.steps - record.step)


def progress_text(fitting: Fitting, record: Record, left: float | None) -> str:
    """Epoch, rate, losses and time left of a record."""
    last = fitting.history[-1] if fitting.history else {}
    parts = [f"epoch {int(record.epoch)}/{record.epochs}", f"rate {record.learning_rate:.2g}"]
    parts.append(f"train loss {record.train_loss:.4g}")
    parts += [f"{name.replace('_', ' ')} {last[name]:.4g}" for name in last if name.startswith("dev_")]
    return "  ".join([*parts, "" if left is None else f"at most {duration(left)} left"]).rstrip()


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else time.strftime("%H h %M min", time.gmtime(seconds))
