"""What a network begins from: another run, a file of weights, or a network that comes as a package."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Target
from preceptor.data.affine import Affine
from preceptor.data.pictures.inspection import Shape
from preceptor.errors import ConfigError, DataError
from preceptor.foreign.backbones import BACKBONES, pretrained
from preceptor.foreign.onnx_network import read_network
from preceptor.foreign.placing import place
from preceptor.foreign.reading import read_weights
from preceptor.foreign.weights import Weights
from preceptor.job.folder import CONFIG
from preceptor.job.loading import load
from preceptor.job.run import Run
from preceptor.job.settings import Settings
from preceptor.job.suitability import given
from preceptor.nn import Dense, Dropout, Ensemble, Layer, Mirrored, Sequential, Xavier
from preceptor.nn.head import head_of, with_outputs
from preceptor.nn.layer import initial_specs, leaves, mapped, within
from preceptor.nn.siamese import trunk_in
from preceptor.ops import Spec
from preceptor.pretext import TaskPreprocessor
from preceptor.train.fine_tuning import First
from preceptor.words import listing

__all__ = ["OF_NETWORK", "Begun", "Origin", "check_origin", "origin_of"]

# Settings that say what a network is, which that of an origin says already.
OF_NETWORK = ("model", "hidden", "members", "ensemble", "waves", "bins", "activation", "batch_norm", "dropout")
HEAD = "output"
# Pictures for a network that takes any size are made so much larger at most, to a multiple of SIDES that is no less
# than LEAST_SIDE: docs/transfer.md.
LARGER, SIDES, LEAST_SIDE = 1.5, 32, 128
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Begun:
    """A network with first values, and where they come from.

    Args:
        network: as it was given, but for shortcuts that a file of weights does without.
        first: those that are not drawn.
        lines: what went where, sentences for the terminal.
        heads: paths of the last dense layers; `is_new`: whether their values are drawn.
        drawn: paths of what is drawn before them, for which a file of weights has nothing.
    """

    network: Layer
    first: First
    lines: list[str]
    heads: list[str]
    is_new: bool
    drawn: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Origin:
    """What a network begins from.

    Args:
        name: as the user gave it.
        network: with `params` and `state`; None of a file that has weights alone.
        weights: those of such a file.
        preprocessor: of a run: how it reads its inputs.
        targets: of a run: what its last layer predicts.
        shape, scale: of pictures: (height, width, channels) that it takes, and what brings them to scale.
        settings: those of a run that say what its network is.
        notes: what is to be known of it, sentences.
        takes_any_size: whether pictures may have another height and width than `shape`.
        of_task: whether it has learned a task without labels.
        source: where the data lie that a run learned from.
    """

    name: str
    network: Layer | None = None
    params: Mapping[str, np.ndarray] = field(default_factory=dict)
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: Weights | None = None
    preprocessor: PicturePreprocessor | Preprocessor | None = None
    targets: tuple[Target, ...] = ()
    shape: tuple[int, int, int] | None = None
    scale: Affine | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    takes_any_size: bool = False
    of_task: bool = False
    source: str = ""

    def fingerprint(self) -> str:
        """A checksum of all its numbers."""
        digest = hashlib.sha256()
        values = {} if self.weights is None else self.weights.values
        for path, value in [*self.params.items(), *self.state.items(), *values.items()]:
            digest.update(f"{path}{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        return digest.hexdigest()

    def shape_of(self, side: int | None) -> Shape:
        """The shape that pictures are brought to, where a side was asked for or not.

        Of a network that takes any size it follows from theirs: what small pictures do not hold, more pixels do not
        bring.
        """
        if self.shape is None:
            return None
        largest, _, channels = self.shape
        if side is not None:
            return side, side, channels
        if not self.takes_any_size:
            return self.shape

        def scaled(height: int, width: int) -> tuple[int, int, int]:
            own = math.ceil(LARGER * min(height, width) / SIDES) * SIDES
            side = min(largest, max(LEAST_SIDE, own))
            return side, side, channels

        return scaled

    def completed(self, settings: Settings) -> Settings:
        """The settings with those of the network as the origin has them.

        Raises: ConfigError where another network is asked for.
        """
        if self.network is None:
            return settings
        for name in given(settings, OF_NETWORK):
            asked, own = getattr(settings, name), self.settings.get(name)
            if asked != own:
                raise ConfigError(
                    f"fit: received {name} {asked} beside from {self.name}, which has a network of its own. Leave "
                    f"{name} out, or begin from a file of weights alone."
                )
        rates = [layer.drop_rate for _, layer in leaves(self.network) if isinstance(layer, Dropout)]
        drop_rate = settings.drop_rate if settings.drop_rate is not None else next(filter(None, rates), None)
        return replace(settings, **self.settings, drop_rate=drop_rate)

    def network_of(self, settings: Settings, outputs: int) -> Layer:
        """Its network, or one of its copies, for a target that takes so many outputs, with the dropout of completed
        settings."""
        assert self.network is not None
        network = self.network.network if isinstance(self.network, Ensemble) else self.network
        if isinstance(network, Mirrored):
            network = Sequential(network.layers, network.names)
        rate = settings.drop_rate or 0.0
        dropping = mapped(network, lambda each: replace(each, drop_rate=rate) if isinstance(each, Dropout) else each)
        return with_outputs(dropping, outputs)

    def begin(self, network: Layer, spec: Spec, targets: tuple[Target, ...], maps: tuple[str, ...]) -> Begun:
        """The first values of a network that takes inputs of this spec.

        Its last dense layer begins with what is known where the origin predicts the same; else it is new.

        Raises: DataError where nothing fits.
        """
        heads = head_of(network)
        if self.network is None:
            return self._placed(network, spec, maps)
        if maps:
            raise ConfigError(f"fit: received map beside from {self.name}, whose names are ours. Leave map out.")
        specs, _ = initial_specs(network, spec)
        copies = network.count if isinstance(network, Ensemble) and not isinstance(self.network, Ensemble) else 0
        own = _copied(self.params, copies), _copied(self.state, copies)
        unlike = [path for path, value in own[0].items() if specs[path].shape != value.shape]
        if others := [path for path in unlike if not _is_below(path, heads)]:
            raise ConfigError(
                f"fit: from {self.name} has {others[0]} of shape {own[0][others[0]].shape}; inputs of shape "
                f"{spec.shape[1:]} ask for {specs[others[0]].shape}. Its network takes one size: leave side out."
            )
        is_new = bool(unlike) or not _same(self.targets, targets)  # of the same target, quantiles ask for more outputs
        params, state = (
            {path: value for path, value in values.items() if not (is_new and _is_below(path, heads))} for values in own
        )
        new = f"; {listing(heads)} is new" if is_new else ""
        return Begun(
            network, First(params, state), [f"{len(params) + len(state)} arrays as they are{new}."], heads, is_new
        )

    def _placed(self, network: Layer, spec: Spec, maps: tuple[str, ...]) -> Begun:
        """The same of a file of weights, which are put where they fit."""
        assert self.weights is not None
        inner, copies = (network.network, network.count) if isinstance(network, Ensemble) else (network, 0)
        pairs = [(theirs.strip(), ours.strip()) for theirs, ours in (each.split("=") for each in maps)]
        placed = place(self.weights, inner, spec, pairs)
        params, state = (
            _copied({path: value for path, value in values.items() if path not in placed.missing}, copies)
            for values in (placed.params, placed.state)
        )
        network = replace(network, network=placed.network) if isinstance(network, Ensemble) else placed.network
        drawn = tuple(path for path in _copied(placed.missing, copies) if not _is_below(path, head_of(network)))
        is_new = len(drawn) < len(_copied(placed.missing, copies))
        return Begun(network, First(params, state), placed.table(), head_of(network), is_new, drawn)


def _copied(values: Mapping[str, Value], copies: int) -> dict[str, Value]:
    """The values of a network as so many copies of it have them; of none as they are."""
    if not copies:
        return dict(values)
    return {f"network{number}/{path}": value for number in range(1, copies + 1) for path, value in values.items()}


def _is_below(path: str, heads: list[str]) -> bool:
    return any(path.startswith(f"{head}/") for head in heads)


def _same(known: tuple[Target, ...], wanted: tuple[Target, ...]) -> bool:
    """Whether targets are the same, so that what predicts one predicts the other."""
    pairs = [(each.name, each.kind, each.classes) for each in known]
    return bool(pairs) and pairs == [(each.name, each.kind, each.classes) for each in wanted]


def check_origin(settings: Settings, origin: Origin, data: str) -> None:
    """Raises: ConfigError where an origin does not suit the kind of data, or the settings contradict it."""
    is_of_pictures = origin.shape is not None
    if origin.network is not None and is_of_pictures != (data == "pictures"):
        known = "pictures" if is_of_pictures else "a table"
        raise ConfigError(f"fit: from {origin.name} takes {known}; the data are {data}. Leave from out.")
    if origin.scale is not None and settings.preprocess is not None:
        raise ConfigError(
            f"fit: received preprocess {settings.preprocess} beside from {origin.name}, which has a scale of its own. "
            "Leave preprocess out."
        )


def origin_of(text: str) -> Origin:
    """What a user names: a network that comes as a package, the folder of a run, or a file.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    if (name := text.replace("_", "-")) in BACKBONES:
        return _of_backbone(name)
    path = Path(text)
    if path.is_dir():
        if (path / CONFIG).is_file():
            return _of_run(text, load(path))
        raise DataError(f"{text}: received as from; it is a folder, but no run's. Give a run, or a file of weights.")
    if not path.exists():
        raise DataError(
            f"{text}: received as from; there is no such run or file, and no network of that name "
            f"({', '.join(BACKBONES)}). Check the path."
        )
    if path.suffix.lower() == ".onnx":
        try:
            found = read_network(path)
        except DataError as error:
            weights = read_weights(path)
            notes = (f"Its weights alone are taken: {error}",)
            return Origin(text, weights=weights, notes=notes)
        shape = found.input_shape if len(found.input_shape) == 3 else None
        return Origin(text, found.network, found.params, found.state, shape=shape, notes=tuple(found.notes))
    return Origin(text, weights=read_weights(path))


def _of_backbone(name: str) -> Origin:
    known = BACKBONES[name]
    network, params, state = pretrained(known)
    scale = Affine(np.asarray(known.mean, np.float64), 1 / np.asarray(known.deviation, np.float64))
    settings = {"model": name.replace("-", "_")}
    return Origin(
        name,
        network,
        params,
        state,
        shape=(known.side, known.side, 3),
        scale=scale,
        settings=settings,
        takes_any_size=True,
    )


def _of_run(name: str, run: Run) -> Origin:
    network, params, state, targets = run.network, run.params, run.state, run.targets
    asked = Settings.from_dict(run.facts["settings"], f"{name}: {CONFIG}")
    if "task" in run.facts:
        assert isinstance(network, Sequential)
        network, params, state = trunk_in(network), within(params, "trunk"), within(state, "trunk")
        assert isinstance(network, Sequential)
        layers = (*network.layers, Dropout(0.0), Dense(1, initialiser=Xavier()))
        network, targets = Sequential(layers, (*network.names, "dropout", HEAD)), ()
    learned = run.preprocessor.inner if isinstance(run.preprocessor, TaskPreprocessor) else run.preprocessor
    of_pictures = learned if isinstance(learned, PicturePreprocessor) else None
    return Origin(
        name,
        network,
        params,
        state,
        preprocessor=learned,
        targets=targets,
        shape=None if of_pictures is None else of_pictures.shape,
        scale=None if of_pictures is None else of_pictures.normalise,
        settings={each: value for each in OF_NETWORK if (value := getattr(asked, each)) is not None},
        of_task="task" in run.facts,
        source="" if "task" in run.facts else run.facts.get("source", ""),
    )
