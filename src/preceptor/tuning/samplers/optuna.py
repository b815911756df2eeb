"""Trials drawn by Optuna."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from preceptor.errors import ConfigError
from preceptor.hyper import settings
from preceptor.tuning.record import Trial
from preceptor.tuning.samplers.base import Point, Sampler
from preceptor.tuning.space import Axis, Space

ROUND = 8  # trials that are asked for at once, each as if those asked for before it had come to nothing


@settings
class Optuna(Sampler):
    """Draws by Optuna's tree-structured Parzen estimator, in a study that is made anew of the rounds before.

    Words are categories, all numbers lie between 0 and 1 on the scales of the space. What was paused is what
    Optuna calls pruned. Needs the extra `[optuna]`.

    Source: Bergstra et al. 2011; Akiba et al. 2019, Optuna.
    Differs: from a study that is kept: a round's trials are drawn together, with a seed of the round.
    """

    def ready(self) -> Self:
        _optuna()
        return self

    def rounds(self, trials: int) -> list[int]:
        return [ROUND] * (trials // ROUND) + ([trials % ROUND] if trials % ROUND else [])

    def points(self, space: Space, seed: int, first: int, count: int, earlier: Sequence[Trial]) -> list[Point]:
        optuna = _optuna()
        shapes = {
            axis.name: optuna.distributions.CategoricalDistribution(range(len(axis.known.choices)))
            if axis.known.choices
            else optuna.distributions.FloatDistribution(0.0, 1.0)
            for axis in space.axes
        }
        shown = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            sampler = optuna.samplers.TPESampler(seed=_seed(seed, first), constant_liar=True)
            study = optuna.create_study(sampler=sampler)
            study.add_trials([made for each in earlier if (made := _made(optuna, space, shapes, each)) is not None])
            asked = [study.ask(shapes) for _ in range(count)]
        finally:
            optuna.logging.set_verbosity(shown)
        return [tuple(_place(axis, each.params[axis.name]) for axis in space.axes) for each in asked]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "sampler optuna: the package optuna is not installed; it is needed for this sampler. Install it: "
            "pip install 'preceptor[optuna]'."
        ) from None
    return optuna


def _seed(seed: int, first: int) -> int:
    """One for each round, from 0 to below 2^32, as Optuna takes it."""
    return int(np.random.SeedSequence([seed, first]).generate_state(1)[0])


def _place(axis: Axis, value: Any) -> float:
    return (value + 0.5) / len(axis.known.choices) if axis.known.choices else float(value)


def _made(optuna: Any, space: Space, shapes: dict[str, Any], trial: Trial) -> Any:
    """A trial of ours as one of Optuna's; None where it has no place in the space."""
    point = trial.point or space.place(trial.settings)
    if point is None:
        return None
    params = {
        axis.name: min(int(place * len(axis.known.choices)), len(axis.known.choices) - 1)
        if axis.known.choices
        else place
        for axis, place in zip(space.axes, point, strict=True)
    }
    states = optuna.trial.TrialState
    if trial.best is None:
        return optuna.trial.create_trial(state=states.FAIL, params=params, distributions=shapes)
    if trial.state == "paused":
        return optuna.trial.create_trial(
            state=states.PRUNED,
            params=params,
            distributions=shapes,
            intermediate_values={int(trial.epochs): trial.best},
        )
    return optuna.trial.create_trial(value=trial.best, params=params, distributions=shapes)
