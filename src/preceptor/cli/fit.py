"""`preceptor fit`: the main job."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from preceptor.cli.options import Place, number_options, settings_options, typed_beside
from preceptor.cli.progress import progress_shown, watched
from preceptor.cli.sentences import (
    line,
    say_curve,
    say_figures,
    say_finding,
    say_found,
    say_mended,
    say_readings,
    say_transfer,
    say_verdict,
    say_weights,
    say_zeros,
    summary,
)
from preceptor.cli.terminal import words_aside
from preceptor.engines import advice, agreed, is_first_process
from preceptor.errors import ConfigError
from preceptor.job import Fitting, Outcome, Run, following, interrupted, make_settings, preparing, resuming
from preceptor.job.command import altered_command, of_training
from preceptor.job.folder import REPORT, check_out
from preceptor.job.growth import growth_text
from preceptor.job.measure import metric_of
from preceptor.job.mending import MOST_TRAININGS
from preceptor.job.parts import augmentations_text, own_numbers
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.pretext_survey import PictureTaskSurvey, TaskSurvey
from preceptor.job.pretext_words import task_text
from preceptor.job.settings import MODELS, Settings
from preceptor.job.story import advice_of, use_of
from preceptor.job.telling import division, examples, how_long, loss_name, setting_words, unproved
from preceptor.nn import Sequential, count_parameters, initial_specs
from preceptor.nn.ensemble import first_alone
from preceptor.ops import Spec
from preceptor.signals import heard
from preceptor.words import amount, counted, listing, shell_word
from preceptor.writers.writing import WRITERS, Writing

MOST_WIDTHS = 12  # layers of a network whose widths are all told in one line
VIEWS_TEXTS = {
    "mirror": "a picture and its mirror image",
    "shift": "a picture, its mirror image and both moved by a pixel two ways",
}
EXIT_CODES = {Outcome.DIVERGED: 1, Outcome.INTERRUPTED: 130}


@click.command(context_settings={"show_default": False})
@click.argument("data", required=False)
@settings_options(Settings)
@number_options(own_numbers())
@click.option("--out", "-o", type=Place(), help="Folder for the run; runs/NAME-1, -2, ... if left out.")
@click.option("--resume", "begun", type=Place(), help="Go on with an unfinished run in this folder.")
@click.option(
    "--mend",
    is_flag=True,
    help=f"Train anew with the settings that the watch has proved to help, {MOST_TRAININGS} trainings at most; the one "
    "that is the best on the rows that guide is kept.",
)
@click.option(
    "--minutes",
    type=float,
    metavar="NUMBER",
    help="How long to train, about, in place of --epochs: as many of them as the time of the first steps allows, one "
    "at least. Reading the data, judging at the end and the report come on top.",
)
@click.option(
    "--log",
    "log_to",
    multiple=True,
    type=click.Choice(tuple(WRITERS)),
    help="Write the training down for TensorBoard, in the run's folder, or for MLflow, where MLFLOW_TRACKING_URI says, "
    "while it goes on. May be given for both.",
)
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.pass_context
def command(
    context: click.Context,
    /,
    data: str | None,
    out: Path | None,
    begun: Path | None,
    mend: bool,
    minutes: float | None,
    log_to: tuple[str, ...],
    no_header: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Trains a network on DATA: a table in a file (.csv, .tsv, .parquet, .jsonl, .npy, .npz, packed or not), digits,
    iris, or pictures: a folder or zip file with a sub-folder for each class, IDX or CIFAR files.

    The words of --activation, --initialiser, --loss, --optimiser, --schedule, --average and --augment take their
    numbers behind colons: leaky-relu:slope=0.1, pad-crop:pixels=2:border=black, or in their order, rotate:30. All but
    those of --augment are options of their own as well: --slope 0.1. What the model or the data have no use for is
    refused.

    A run that was broken off, by Ctrl-C or by the machine, goes on with --resume RUN and ends in the same bits as one
    that never was; its settings are those it was begun with.

    Exit codes: 0 done, 1 the loss became infinite, 2 a mistake in settings or data, 130 interrupted by Ctrl-C, SIGTERM
    or SIGHUP (the best weights so far are saved, and all that it takes to go on).
    """
    if not as_json:
        words_aside()
    if not is_first_process():
        context.with_resource(quiet())
    writing = context.with_resource(Writing(log_to))
    if begun is not None:
        fitting = resumed(context, begun, data)
    elif data is None:
        raise click.UsageError("Missing argument 'DATA'.", context)
    else:
        settings = make_settings(given)
        if out is not None:
            check_out(out)
        fitting = watched(preparing(data, settings, not no_header, mend, minutes))
        if fitting.mending is not None:
            fitting.mending = msgspec.structs.replace(fitting.mending, words=of_training(sys.argv[1:]))
    try:
        after = watched(following(fitting, train_shown(fitting, out, writing)))
        while isinstance(after, Fitting):
            say_change(fitting, after)
            fitting = after
            after = watched(following(fitting, train_shown(fitting, out, writing, is_first=False)))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; {interrupted(fitting)}") from None
    say_result(fitting, after)
    watched(writing.finishing(after, fitting.outcome))
    say_writing(writing)
    if as_json:
        print(json.dumps(summary(after)))
    return EXIT_CODES.get(fitting.outcome, 0)


def train_shown(fitting: Fitting, out: Path | None, writing: Writing, is_first: bool = True) -> Run:
    """Trains to the end, or until a signal comes; then what was trained is brought to the disk before it is judged."""
    with heard() as signals:
        if fitting.out is None:
            with signals.unbroken():
                fitting.open_folder(out)
        if is_first:
            say_plan(fitting)
        with progress_shown(fitting) as (show, clear):
            for number, record in enumerate(writing.records(fitting)):
                if number == 0 and is_first and record.step_bytes is not None:
                    mebibytes = record.step_bytes / 2**20
                    line("memory", f"{mebibytes:,.1f} MiB for a step, beside the network and the data")
                show(record)
                for found in fitting.told:
                    clear()
                    say_finding(found, remedied(of_training(sys.argv[1:]), fitting, found))
                say_writing(writing, clear)
                if agreed(bool(signals)):  # by any of the processes that train together
                    break
        with signals.unbroken():
            fitting.keep()
    # Who presses Ctrl-C waits for the figures, or presses it again; a machine that shuts down does not wait.
    run = fitting.finish(judge=all(number == signal.SIGINT for number in signals.numbers))
    writing.end(fitting, run)
    return run


def resumed(context: click.Context, begun: Path, data: str | None) -> Fitting:
    """The unfinished run in a folder, ready to go on; settings on the command line would contradict its own."""
    chosen = typed_beside(context, "data", "begun", "log_to", "as_json")
    if chosen:
        raise ConfigError(
            f"fit: {', '.join(chosen)} beside --resume; a run goes on with its own settings. Leave it out."
        )
    fitting, notes = watched(resuming(begun, data))
    for note in notes:
        line("resumed", note)
    return fitting


def say_writing(writing: Writing, clear: Callable[[], None] = lambda: None) -> None:
    """What is to be known of the writing elsewhere. Args: clear: makes room for words."""
    for number, sentence in enumerate(writing.told()):
        clear()
        line("" if number else "log", sentence)


def say_plan(fitting: Fitting) -> None:
    """What was read, the split, the network, the engine: printed before training starts."""
    table, config, parts = fitting.seen.table, fitting.config, fitting.seen.parts
    line("data", f"{table.name}: {examples(table.rows, fitting.preprocessor)}")
    for sentence in (*table.notes, *fitting.seen.notes, *fitting.preprocessor.lines()):
        line("", sentence)
    say_found(fitting.found)
    sizes = division(len(parts.train), len(parts.dev), len(parts.test), fitting.seen.folds)
    line("split", f"{sizes}; {fitting.seen.how}, seed {config.seed}")
    chosen = fitting.settings
    say_weights(fitting.weighting)
    if isinstance(fitting.seen, TaskSurvey):
        line("task", f"{task_text(fitting.seen.task)}, without labels")
    if isinstance(fitting.seen, PictureSurvey | PictureTaskSurvey):
        line("augment", augmentations_text(fitting.seen.augmentations(chosen)))
        if isinstance(fitting.seen, PictureSurvey) and chosen.augment is None:
            for sentence in fitting.seen.reasons(chosen):
                line("", sentence)
        if growth := chosen.growth():
            line("grow", growth_text(growth, fitting.preprocessor.input_shape))
        if chosen.views in VIEWS_TEXTS:
            line("views", f"{VIEWS_TEXTS[chosen.views]}, whose outputs are averaged, outside training")
            if isinstance(fitting.seen, PictureSurvey) and fitting.seen.mirrored.differ:
                line("warning", "A mirror image is read as another class here, or as none. Leave views out.")
                if chosen.augment is not None:
                    line("", fitting.seen.mirrored.text)
    whole = fitting.whole_network
    params, _ = initial_specs(whole, Spec((1, *fitting.preprocessor.input_shape), np.dtype(np.float32)))
    network, one, _ = first_alone(whole, params, {})
    layers = [p.shape[-1] for path, p in one.items() if path.endswith("/weight")]
    shape = " × ".join(f"{length:,}" for length in fitting.preprocessor.input_shape)
    middle = [f"({counted(len(layers) - 6, 'layer')})"] if len(layers) > MOST_WIDTHS else []
    shown = [*layers[:3], *middle, *layers[-3:]] if middle else layers
    widths = " → ".join([shape, *(each if isinstance(each, str) else f"{each:,}" for each in shown)])
    unit = f", {chosen.activation}" if len(layers) > 1 and chosen.model in MODELS else ""
    unit += f", dropout {amount(chosen.drop_rate)}" if unit and chosen.drop_rate else ""
    members = f", {chosen.ensemble} networks averaged, each" if chosen.ensemble > 1 else ""
    if (chosen.members or 1) > 1:
        half = ", half of them with bins" if isinstance(network, Sequential) and "bins" in network.names else ""
        members += f"{' of' if members else ','} {chosen.members} members trained as one{half}, each"
    line("network", f"{chosen.model}{members} {widths}{unit}; {count_parameters(params):,} parameters")
    if fitting.transfer is not None:
        say_transfer({"transfer": fitting.transfer.to_dict()})
    line("engine", f"{config.engine.name}, {config.engine.precision}")
    if slow := advice(chosen.engine, config.engine):
        line("", slow)
    say_training(fitting)


def say_training(fitting: Fitting) -> None:
    """How the network is trained."""
    config, metric = fitting.config, metric_of(fitting.settings)
    chosen_by = "" if metric is None else f"; the best epoch by {metric.spoken}"
    line(
        "training",
        f"{fitting.settings.optimiser}, rate {amount(config.learning_rate)} {fitting.settings.schedule}, "
        f"batches of {config.batch_size:,}, at most {counted(config.epochs, 'epoch')}; {loss_name(config.loss)}"
        f"{chosen_by}",
    )


def say_result(fitting: Fitting, run: Run) -> None:
    """The figures with their intervals, and where things are."""
    facts = run.facts
    line("done", how_long(facts))
    line("", facts["outcome"])
    if untried := unproved(facts):
        where = "" if run.path is None else f" More: preceptor diagnose {shell_word(run.path)}"
        line("note", f"Suspected, but not tried for want of steps: {listing(untried)}.{where}")
    if facts["watched"] and facts["epochs"]:
        line("watched", facts["watched"])
    if facts["epochs"]:
        say_curve(facts)
    say_zeros(facts)
    say_readings(run)
    say_figures(run)
    say_verdict(run)
    say_mended(facts)
    if run.path is None:
        return
    line("run", f"{run.path}: {listing(sorted(each.name for each in run.path.iterdir()))}")
    if (run.path / REPORT).exists():
        line("report", f"{run.path / REPORT}: open it in a browser")
    say_next(run)


def say_next(run: Run) -> None:
    """What to do now, as the report has it, and the command that uses the run."""
    advice, use = advice_of(run), use_of(run)
    if Outcome.INTERRUPTED.is_told_by(run.facts["outcome"]):
        line("next", advice.command)
        return
    if advice.command != use:
        what = f"{advice.what[0].upper()}{advice.what[1:]}"
        line("next", f"{advice.why} {what}{f': {advice.command}' if advice.command else '.'}".lstrip())
    if not Outcome.DIVERGED.is_told_by(run.facts["outcome"]):
        line("next" if advice.command == use else "", use)


def say_change(before: Fitting, after: Fitting) -> None:
    """What a mending changes in its next training, and why."""
    mending, old, new = after.mending, before.settings.to_dict(), after.settings.to_dict()
    assert mending is not None
    changed = [
        f"{name.replace('_', ' ')} {setting_words(old[name])} → {setting_words(new[name])}"
        for name in mending.changes
        if old[name] != new[name]
    ]
    why = listing(each["rule"] for each in mending.why)
    word = "proved" if all("proof" in each for each in mending.why) else "found"
    line("mending", f"{listing(changed)}, as {why} {'was' if len(mending.why) == 1 else 'were'} {word}")
    line("", f"training anew from the first weights, {mending.number} of at most {MOST_TRAININGS}")
    say_training(after)


def remedied(given: Sequence[str], fitting: Fitting, found: Mapping[str, Any]) -> str:
    """The command as it was given, with the settings of the first remedy of a finding in place of its own; nothing
    where the remedy is no matter of settings, the command does not say all of them, or mending will do it."""
    chosen = found["remedies"][0]["settings"] if found.get("remedies") else {}
    mending = fitting.mending
    if mending is not None:
        is_done = "proof" in found
        given, chosen = mending.words, {} if is_done or not chosen else mending.changes | chosen
    return "" if not chosen or not given or "--resume" in given else altered_command(given, fitting.asked, chosen)


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed: of processes that train together, the first speaks for all."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
