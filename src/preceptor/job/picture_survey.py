"""From a set of pictures to what training sees: read, divided, looked at, brought to scale."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from preceptor.data import Split, order, split_by_part
from preceptor.data.encoding.target import names_of
from preceptor.data.pictures.augment import Augmentation, Flip, Mixer, Mixup, choose_augmentation
from preceptor.data.pictures.augment.choice import FEW_PASSES
from preceptor.data.pictures.mirror import MirrorImages, mirror_images
from preceptor.data.pictures.pictures import TARGET, Pictures, read_pictures, refuse_no_header, split_pictures
from preceptor.data.pictures.preprocessor import PicturePreprocessor, PictureRows, learn_scaling
from preceptor.data.pictures.stream import PictureStream
from preceptor.diagnose import Finding, PictureFacts, checks_made, inspect
from preceptor.errors import ConfigError, ShapeError
from preceptor.job.growth import check_growth, smaller, smaller_steps
from preceptor.job.origin import Origin, check_origin, origin_of
from preceptor.job.picture_recipe import complete_pictures, mixes, stages, usual_model
from preceptor.job.settings import PICTURE_MODELS, Settings
from preceptor.job.stages import Encoded, Stage, Stages
from preceptor.job.suitability import check_data, check_model, check_shifts, refuse_share
from preceptor.nn import Flatten, Layer, Mirrored, Sequential, initial_specs
from preceptor.ops import Spec
from preceptor.train.training import Streamed
from preceptor.words import counted, listing

PARTS = ("train", "dev", "test")
USUAL_SCALING = "channel"
MOST_DEV = 2_500  # pictures that guide, where nobody says how many: 93 % are then known to 1
SEEN = 1_000  # training pictures that are judged after each epoch, at most


@dataclass(frozen=True, eq=False)
class PictureSurvey:
    """A set of pictures that was read, divided and looked at.

    Args:
        table: the pictures.
        parts: train, dev and test rows.
        how: in words, how they were divided.
        scaling: how the pictures are brought to scale, of SCALINGS.
        found: what was seen, the gravest first.
        origin: what the network begins from, where it is not random; its shape and scale are those of the pictures.
    """

    table: Pictures
    parts: Split
    how: str
    scaling: str
    found: list[Finding]
    notes: tuple[str, ...] = ()
    origin: Origin | None = None
    folds: ClassVar[int] = 0

    @property
    def checks(self) -> list[str]:
        """What was looked for, in words."""
        return ["files that cannot be read", *checks_made(PictureFacts)]

    @property
    def targets(self) -> dict[str, str]:
        """What is to be told of a picture, and that it is a class."""
        return {TARGET: "classes"}

    @property
    def identifiers(self) -> list[str]:
        """What names each picture."""
        return ["picture"]

    @cached_property
    def preprocessor(self) -> PicturePreprocessor:
        """What the training pictures ask for."""
        scaling, rows = self.scaling, self.parts.train
        known = None if self.origin is None else self.origin.scale
        normalise = learn_scaling(self.table, rows, scaling) if known is None else known
        return PicturePreprocessor(self.table.shape, self.table.classes, scaling, normalise, len(rows))

    def under(self, settings: Settings) -> "PictureSurvey":
        """The same pictures in the same parts, for a training with other settings that divide them alike."""
        has_own = self.origin is not None and self.origin.scale is not None
        return self if has_own else replace(self, scaling=settings.preprocess or USUAL_SCALING)

    def complete(self, settings: Settings) -> Settings:
        """The settings with what they leave open chosen by the recipe for pictures."""
        check_shifts(settings, self.table.shape)
        if self.origin is not None:
            settings = self.origin.completed(settings)
        if settings.views is None:
            is_mirrored = any(
                isinstance(each, Flip) and each.axis != "upright" for each in self.augmentations(settings)
            )
            may = self.origin is None and len(self.preprocessor.input_shape) == 3
            settings = replace(settings, views="mirror" if is_mirrored and may else "one")
        return complete_pictures(settings, self.preprocessor, len(self.parts.train), self.origin is not None)

    def make_network(self, settings: Settings, outputs: int) -> Layer:
        """The network that completed settings ask for; one for tables sees each picture as one row of numbers."""
        if self.origin is not None and self.origin.network is not None:
            return self.origin.network_of(settings, outputs)
        network = self._one_sided(settings, outputs)
        if growth := settings.growth():
            check_growth(growth, self.table, network, settings)
        if settings.views == "one":
            return network
        if len(self.preprocessor.input_shape) < 3:
            raise ConfigError(
                f"fit: received views {settings.views} with preprocess {settings.preprocess}, which makes rows of "
                "numbers that have no mirror image. Leave views out."
            )
        return Mirrored(network.layers, network.names, shift=1 if settings.views == "shift" else 0)

    def stages_of(self, settings: Settings) -> dict[str, Any]:
        """What the pictures say to a network that asks: its widths and stride."""
        return stages(settings.model, self.table.shape, len(self.parts.train))

    def _one_sided(self, settings: Settings, outputs: int) -> Sequential:
        """The network before it is asked whether it looks at the mirror image as well."""
        network = settings.make_network(outputs, **self.stages_of(settings))
        if settings.model in PICTURE_MODELS:
            try:
                initial_specs(network, Spec((1, *self.table.shape), np.dtype(np.float32)))
            except ShapeError:
                height, width, _ = self.table.shape
                raise ConfigError(
                    f"model {settings.model}: the pictures have {width:,} × {height:,} pixels; its windows need more. "
                    "Use larger pictures, or a network that takes any, such as mlp."
                ) from None
        assert isinstance(network, Sequential)
        if settings.model in PICTURE_MODELS:
            return network
        return Sequential((Flatten(), *network.layers), ("flatten", *network.names))

    def weights(self, rows: np.ndarray) -> np.ndarray | None:
        """What some pictures count: each 1."""
        return None

    def augmentations(self, settings: Settings) -> tuple[Augmentation | Mixer, ...]:
        """How training pictures are changed: as asked for, or as the pictures allow."""
        chosen = settings.augmentations()
        if chosen is not None:
            return chosen
        steps = choose_augmentation(self.table, self.mirrored.answer, settings.epochs)
        return (*steps, Mixup()) if mixes(settings, self.table.shape, self.origin is not None) else steps

    def reasons(self, settings: Settings) -> list[str]:
        """Why the pictures are changed as they are where nobody says how: sentences."""
        often = replace(settings, epochs=max(FEW_PASSES, settings.epochs or 0))
        is_seldom = self.augmentations(settings) != self.augmentations(often)
        few = f"Each picture is seen {counted(settings.epochs or 0, 'time')}; from {FEW_PASSES} on they change more."
        return [each for each in (self.mirrored.text, few if is_seldom else "") if each]

    @cached_property
    def mirrored(self) -> MirrorImages:
        """How mirror images of the training pictures are read."""
        return mirror_images(self.table, self.parts.train)

    def encode(self, settings: Settings) -> Stages[Encoded]:
        """Training pictures as a stream, augmented; dev and test as they are, decoded when they are needed."""
        yield Stage("preparing")
        pictures, normalise = self.table, self.preprocessor.normalise
        assert pictures.labels is not None
        steps = self.augmentations(settings)
        plain = [each for each in steps if not isinstance(each, Mixer)]
        mixers = [each for each in steps if isinstance(each, Mixer)]
        mixer, seed = mixers[0] if mixers else None, settings.seed
        stream = PictureStream(pictures, self.parts.train, normalise, seed=seed, steps=plain, mixer=mixer)
        full, earlier = min(pictures.shape[:2]), []
        for side, share in settings.growth():
            fewer, small = smaller_steps(plain, side / full), smaller(pictures, side)
            first = PictureStream(small, self.parts.train, normalise, seed=seed, steps=fewer, mixer=mixer)
            earlier.append((share, first))
        judged: list[Any] = []
        for rows in (self.parts.dev, self.parts.test):
            judged += [PictureRows(pictures, rows, normalise), pictures.labels[rows]] if len(rows) else [None, None]
        dev_x, dev_y, test_x, test_y = judged
        count = min(len(self.parts.dev) or SEEN, len(self.parts.train), SEEN)
        seen = np.sort(self.parts.train[order(settings.seed, 0, count, len(self.parts.train))])
        plain_x, plain_y = PictureRows(pictures, seen, normalise), pictures.labels[seen]
        data = Streamed(stream, dev_x, dev_y, plain_x, plain_y, first_streams=tuple(earlier))
        return Encoded(data, test_x, test_y, [], pictures.labels[self.parts.train])


def survey_pictures(source: str | Path, settings: Settings, header: bool = True) -> Stages[PictureSurvey]:
    """Reads a set of pictures, divides it and looks at it.

    Pictures that are equal in every pixel come to one part, unless the source itself divides them.

    Raises: DataError where there are no such pictures.
    """
    refuse_no_header(source, header)
    check_data(settings, "pictures")
    check_model(settings, settings.model or usual_model(settings))
    names = names_of(settings.target)
    if len(names) > 1:
        raise ConfigError(
            f"fit: received {len(names)} targets, {listing(names)}, with pictures, which have one class each; one "
            "target is required. Name one."
        )
    origin = None
    if settings.from_ is not None:
        yield Stage("reading what it begins from")
        origin = origin_of(settings.from_)
        check_origin(settings, origin, "pictures")
    yield Stage("reading and checking pictures")
    pictures = read_pictures(
        source,
        target=names[0] if names else None,
        skip_corrupt=settings.skip_corrupt,
        shape=None if origin is None else origin.shape_of(settings.side),
        side=settings.side,
    )
    assert pictures.labels is not None
    (dev, test), seed, labels, hashes = settings.shares(0), settings.seed, pictures.labels, pictures.content_hashes()
    if settings.dev_share is None:
        divided = pictures.rows if pictures.parts is None else len(pictures.rows_of("train"))
        dev = min(dev, MOST_DEV / max(divided, 1))
    if pictures.parts is not None:
        numbers = np.array([PARTS.index(part) for part in pictures.parts.tolist()], np.int8)
        parts = split_by_part(numbers, dev=dev, seed=seed, labels=labels)
        refuse_share(settings, pictures.name, "test_share")
        if (numbers == 1).any():
            refuse_share(settings, pictures.name, "dev_share")
        own = "train, dev and test" if (numbers == 1).any() else "train and test"
        how = f"{own} as the source divides them{'' if (numbers == 1).any() else '; dev drawn by class'}"
    else:
        parts = split_pictures(hashes, dev=dev, test=test, seed=seed, labels=labels)
        how = "stratified by class"
    found = inspect(PictureFacts(pictures.classes, labels, hashes, parts))
    scaling = settings.preprocess or USUAL_SCALING
    if origin is not None and isinstance(origin.preprocessor, PicturePreprocessor):
        scaling = origin.preprocessor.scaling
    return PictureSurvey(pictures, parts, how, scaling, found, origin=origin)
