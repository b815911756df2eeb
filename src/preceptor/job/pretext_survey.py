"""From data without labels to what training sees of them: read, divided, and a task made of them."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from preceptor.data import (
    PicturePreprocessor,
    Pictures,
    Preprocessor,
    Split,
    Table,
    fit_preprocessor,
    looks_like_pictures,
    open_table,
    order,
    read_pictures,
    split,
)
from preceptor.data.encoding.target import names_of
from preceptor.data.pictures.augment import Augmentation, Mixer
from preceptor.data.pictures.pictures import refuse_no_header, split_pictures
from preceptor.data.pictures.preprocessor import learn_scaling
from preceptor.data.tables.names import find_column
from preceptor.diagnose import Finding
from preceptor.errors import ConfigError, ShapeError
from preceptor.job.picture_recipe import MODEL, complete_pictures, stages, usual_model
from preceptor.job.picture_survey import USUAL_SCALING
from preceptor.job.pretext_words import word_of
from preceptor.job.recipe import complete, power_of_two
from preceptor.job.settings import PICTURE_MODELS, Settings
from preceptor.job.stages import Encoded, Stage, Stages
from preceptor.job.suitability import check_data, check_model, check_shifts, usable
from preceptor.nn import Dense, Layer, Loss, Sequential, initial_specs
from preceptor.nn.siamese import Places, places_of
from preceptor.ops import Spec
from preceptor.pretext import Columns, ColumnStream, Frame, PictureTask, Task, TaskPreprocessor, TaskRows, TaskStream
from preceptor.train.evaluator import EVALUATION_BYTES, EVALUATION_ROWS
from preceptor.train.training import Streamed
from preceptor.words import counted

DEV_ROWS, DEV_SHARE = 2_000, 0.15  # by which it is told how well a task is solved: an accuracy is then known to 2 %
HELD_BYTES = 64 << 20  # inputs of rows that judge that are kept from epoch to epoch
VISITS, EPOCHS = 500_000, (10, 100)  # pictures seen in a whole training, within so many passes over them
TABLE_HIDDEN = (256, 256)  # of the trunk for a table


@dataclass(frozen=True, eq=False)
class PictureTaskSurvey:
    """A set of pictures of which a task is made.

    Args:
        table: the pictures.
        parts: train and dev rows; none of those that the source calls test.
        how: in words, how they were divided.
        notes: how the pictures were taken: sentences.
    """

    table: Pictures
    parts: Split
    how: str
    task: PictureTask
    notes: tuple[str, ...] = ()
    folds: ClassVar[int] = 0
    scaling: ClassVar[str] = USUAL_SCALING
    found: ClassVar[list[Finding]] = []
    identifiers: ClassVar[list[str]] = []

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a picture as the trunk takes it."""
        return self.task.seen(self.table.shape)

    @cached_property
    def preprocessor(self) -> TaskPreprocessor:
        """What the training pictures ask for."""
        rows = self.parts.train
        inner = PicturePreprocessor(
            self.shape, (), self.scaling, learn_scaling(self.table, rows, self.scaling), len(rows)
        )
        return TaskPreprocessor(inner, word_of(self.task), self.task.classes, self.task.shown(self.shape))

    def under(self, settings: Settings) -> "PictureTaskSurvey":
        """The same pictures in the same parts, whatever the settings."""
        return self

    def complete(self, settings: Settings) -> Settings:
        """The settings with what they leave open chosen by the recipe for pictures; without dropout, for a task that
        never shows the same twice is hard to learn by heart."""
        model = settings.model or usual_model(settings)
        if model not in PICTURE_MODELS:
            raise ConfigError(
                f"pretrain: received model {model} with pictures; a network for them is required. Leave --model out."
            )
        check_shifts(settings, self.table.shape)
        is_open = settings.drop_rate is None and "drop_rate" in usable(model)
        rows = len(self.parts.train)
        chosen = replace(
            settings,
            model=model,
            drop_rate=0.0 if is_open else settings.drop_rate,
            epochs=settings.epochs or int(np.clip(VISITS // rows, *EPOCHS)),
            batch_size=settings.batch_size or power_of_two(rows / 50, (16, self.task.most_rows)),
        )
        assert isinstance(self.preprocessor.inner, PicturePreprocessor)
        return complete_pictures(chosen, self.preprocessor.inner, rows)

    def make_trunk(self, settings: Settings) -> Sequential:
        """The network that completed settings ask for, without its last dense layer.

        Raises: ConfigError where it does not suit the task.
        """
        model = settings.model or MODEL
        whole = settings.make_network(1, **stages(model, self.shape, len(self.parts.train)))
        assert isinstance(whole, Sequential)
        assert isinstance(whole.layers[-1], Dense)
        trunk = Sequential(whole.layers[:-1], whole.names[:-1])
        if not self.task.suits_dense:
            try:
                initial_specs(Places(trunk), Spec((1, *self.shape), np.dtype(np.float32)))
            except ConfigError:
                raise ConfigError(
                    f"task {word_of(self.task)}: model {model} has dense layers before its last, which are of pictures "
                    f"of one size alone; features that know where they lie are required. Use {MODEL} or resnet20."
                ) from None
        return trunk

    def frame(self, settings: Settings) -> Frame:
        """What the task knows of pictures and trunk."""
        inner = self.preprocessor.inner
        assert isinstance(inner, PicturePreprocessor)
        places = (1, 1)
        if self.task.asks_places:
            down, across = places_of(self.make_trunk(settings), Spec((1, *self.shape), np.dtype(np.float32)))
            places = down, across
        return Frame(self.shape, inner.normalise, places)

    def make_loss(self, settings: Settings) -> Loss:
        """What the task makes small."""
        return self.task.loss(self._within(settings))

    def make_network(self, settings: Settings, outputs: int) -> Layer:
        """Trunk and head."""
        network = self.task.network(self.make_trunk(settings), self._within(settings))
        shown = self.preprocessor.input_shape
        try:
            initial_specs(network, Spec((1, *shown), np.dtype(np.float32)))
        except ShapeError:
            raise ConfigError(self._too_small(settings)) from None
        return network

    def _within(self, settings: Settings) -> Frame:
        try:
            return self.frame(settings)
        except ShapeError:
            raise ConfigError(self._too_small(settings)) from None

    def _too_small(self, settings: Settings) -> str:
        height, width = self.preprocessor.input_shape[-3:-1]
        is_taken = settings.model != MODEL and min(height, width) > 1  # it halves them once at least
        other = f", or a network that takes smaller ones, such as {MODEL}" if is_taken else ""
        return (
            f"model {settings.model}: task {word_of(self.task)} shows it {width:,} × {height:,} pixels; its windows "
            f"need more. Use larger pictures{other}."
        )

    def weights(self, rows: np.ndarray) -> np.ndarray | None:
        """What some pictures count: each 1."""
        return None

    def augmentations(self, settings: Settings) -> tuple[Augmentation | Mixer, ...]:
        """How pictures are changed before the task is made of them."""
        chosen = settings.augmentations()
        return self.task.augmentations(self.table) if chosen is None else chosen

    def encode(self, settings: Settings) -> Stages[Encoded]:
        """What the task makes of the training pictures, as a stream; of dev pictures what it makes of each once."""
        yield Stage("preparing")
        steps = self.augmentations(settings)
        plain = [each for each in steps if not isinstance(each, Mixer)]
        if len(plain) < len(steps):
            raise ConfigError(
                "pretrain: received an augmentation that mixes pictures; a task is made of one picture. Leave it out."
            )
        frame, train, dev = self.frame(settings), self.parts.train, self.parts.dev
        stream = TaskStream(self.table, train, self.task, frame, seed=settings.seed, steps=plain)
        dev = dev[: _whole_pieces(len(dev), self.preprocessor.features)]
        count = min(len(dev) or DEV_ROWS, len(train))
        seen = np.sort(train[order(settings.seed, 0, count, len(train))])
        parts: list[Any] = []
        for rows in (dev, seen):
            made = TaskRows(self.table, rows, self.task, frame, settings.seed)
            is_held = 4 * self.preprocessor.features * len(rows) <= HELD_BYTES
            parts += [made[:] if is_held else made, made.targets()] if len(rows) else [None, None]
        return Encoded(Streamed(stream, *parts), None, None, [], np.zeros(0, np.int32))


@dataclass(frozen=True, eq=False)
class TableTaskSurvey:
    """A table of which a task is made.

    Args:
        table: as it was read.
        parts: train and dev rows.
        aside: the columns that are nothing to learn from, each with the reason.
    """

    table: Table
    parts: Split
    task: Columns
    aside: dict[str, str]
    notes: tuple[str, ...] = ()
    how: ClassVar[str] = "at random"
    folds: ClassVar[int] = 0
    scaling: ClassVar[str] = "standardise"
    found: ClassVar[list[Finding]] = []
    identifiers: ClassVar[list[str]] = []

    @cached_property
    def preprocessor(self) -> TaskPreprocessor:
        """What the training rows ask for. Raises: DataError as fit_preprocessor; where there is one column."""
        inner = fit_preprocessor(self.table, None, self.parts.train, aside=self.aside)
        if len(inner.columns) < 2:
            raise ConfigError(
                f"{self.table.name}: there is one column to learn from; task columns tells columns by each other, of "
                "which at least two are required. Add columns that vary."
            )
        return TaskPreprocessor(inner, word_of(self.task), (), (inner.features,))

    @property
    def widths(self) -> tuple[int, ...]:
        """The features of each column."""
        inner = self.preprocessor.inner
        assert isinstance(inner, Preprocessor)
        return tuple(column.features for column in inner.columns)

    def under(self, settings: Settings) -> "TableTaskSurvey":
        """The same rows in the same parts, whatever the settings."""
        return self

    def complete(self, settings: Settings) -> Settings:
        """The settings with what they leave open chosen by the recipe for one plain network."""
        if settings.model not in (None, "mlp") or (settings.members or 1) > 1 or settings.hidden == ():
            raise ConfigError(
                "pretrain: a table asks for one mlp with hidden layers, whose features are what is learned. Leave "
                "model and members out, or give widths: --hidden 256,256."
            )
        inner = self.preprocessor.inner
        assert isinstance(inner, Preprocessor)
        chosen = replace(settings, hidden=settings.hidden or TABLE_HIDDEN, members=1, waves=0, bins=0)
        return replace(complete(chosen, inner, len(self.parts.train)), folds=0)

    def make_loss(self, settings: Settings) -> Loss:
        """What the task makes small."""
        return self.task.loss(self.preprocessor.features)

    def make_network(self, settings: Settings, outputs: int) -> Layer:
        """Trunk and head."""
        whole = settings.make_network(1)
        assert isinstance(whole, Sequential)
        return self.task.network(Sequential(whole.layers[:-1], whole.names[:-1]), self.preprocessor.features)

    def weights(self, rows: np.ndarray) -> np.ndarray | None:
        """What some rows count: each 1."""
        return None

    def encode(self, settings: Settings) -> Stages[Encoded]:
        """What the task makes of the training rows, as a stream; of dev rows what it makes of each once."""
        yield Stage("encoding")
        inner = self.preprocessor.inner
        assert isinstance(inner, Preprocessor)
        x, dev = (
            inner.transform(self.table.select(rows), rows) if len(rows) else None
            for rows in (self.parts.train, self.parts.dev)
        )
        assert x is not None
        stream = ColumnStream(x, self.widths, self.task, settings.seed)
        some = np.sort(order(settings.seed, 0, min(len(x), len(self.parts.dev) or DEV_ROWS), len(x)))
        dev_x, dev_y = (None, None) if dev is None else stream.judging(dev)
        data = Streamed(stream, dev_x, dev_y, *stream.judging(x[some]))
        return Encoded(data, None, None, [], np.zeros(0, np.int32))


TaskSurvey = PictureTaskSurvey | TableTaskSurvey


def survey_task(source: Any, task: Task, settings: Settings, header: bool = True) -> Stages[TaskSurvey]:
    """Reads data without labels, or with labels that are not looked at, and divides them.

    Raises: DataError, ConfigError where the task cannot be made of them.
    """
    is_path = isinstance(source, (str, Path))
    if isinstance(task, PictureTask):
        if not is_path or (Path(source).exists() and not looks_like_pictures(Path(source))):
            raise ConfigError(
                f"{source if is_path else 'pretrain'}: task {word_of(task)} is of pictures; a folder, zip file, IDX or "
                "CIFAR files are required. Of a table there is --task columns."
            )
        return (yield from _survey_pictures(source, task, settings, header))
    assert isinstance(task, Columns)
    if is_path and looks_like_pictures(Path(source)):
        raise ConfigError(f"{source}: task columns is of a table; here are pictures. Use --task rotation.")
    return (yield from _survey_table(source, task, settings, header))


def _survey_pictures(
    source: str | Path, task: PictureTask, settings: Settings, header: bool
) -> Stages[PictureTaskSurvey]:
    refuse_no_header(source, header)
    check_data(settings, "pictures")
    check_model(settings, settings.model or usual_model(settings))
    yield Stage("reading and checking pictures")
    names = names_of(settings.target)
    pictures = read_pictures(
        source, target=names[0] if names else None, skip_corrupt=settings.skip_corrupt, labelled=False
    )
    task.check(pictures)
    notes, how, rows = list[str](), "at random", np.arange(pictures.rows)
    if pictures.labels is not None:
        notes.append("The labels are not looked at.")
    dev = np.zeros(0, np.int64)
    if pictures.parts is not None:
        rows, dev = pictures.rows_of("train"), pictures.rows_of("dev")
        how = "of what the source calls train, dev drawn at random"
        if tests := int(np.count_nonzero(pictures.parts == "test")):
            notes.append(f"Left out: {counted(tests, 'picture')} that the source calls test.")
    if task.seen(pictures.shape) != pictures.shape:
        height, width, _ = task.seen(pictures.shape)
        notes.append(f"Pictures are cut to the {width:,} × {height:,} pixels in their middle, for turning.")
    if len(dev):
        parts, how = Split(rows, dev, np.zeros(0, np.int64)), "as the source divides them"
    else:
        share, hashes = _dev_share(settings, len(rows)), pictures.content_hashes()[rows]
        parts = _numbered(split_pictures(hashes, dev=share, test=0.0, seed=settings.seed), rows)
    return PictureTaskSurvey(pictures, parts, how, task, tuple(notes))


def _survey_table(source: Any, task: Columns, settings: Settings, header: bool) -> Stages[TableTaskSurvey]:
    check_data(settings, "a table")
    check_model(settings, settings.model or "mlp")
    yield Stage("reading")
    table = open_table(source, header=header)
    if not isinstance(table, Table):
        raise ConfigError(
            f"{table.name}: it is too large to be held in memory, which task columns needs. Give a part of its rows."
        )
    aside = {
        find_column(table.name, name, table.columns): reason
        for names, reason in ((settings.leave_out or (), "left out as asked"), (names_of(settings.target), "a label"))
        for name in names
    }
    parts = split(table.rows, dev=_dev_share(settings, table.rows), test=0.0, seed=settings.seed)
    return TableTaskSurvey(table, parts, task, aside)


def _dev_share(settings: Settings, rows: int) -> float:
    return min(DEV_SHARE, DEV_ROWS / max(rows, 1)) if settings.dev_share is None else settings.dev_share


def _numbered(parts: Split, rows: np.ndarray) -> Split:
    return Split(rows[parts.train], rows[parts.dev], rows[parts.test])


def _whole_pieces(rows: int, numbers: int) -> int:
    """So many of the rows as fill the pieces in which they are judged: of a task in which rows meet, a piece that is
    filled up would have other company than the rest."""
    piece = min(EVALUATION_ROWS, max(1, EVALUATION_BYTES // (4 * numbers)))
    return rows - rows % piece if rows > piece else rows


__all__ = ["PictureTaskSurvey", "TableTaskSurvey", "TaskSurvey", "survey_task"]
