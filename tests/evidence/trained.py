"""Small trainings with the rows that judged them, which tests of evidence share."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.evidence.judges import Judges
from preceptor.job.fit import Fitting, prepare
from preceptor.job.judging import judge
from preceptor.job.measure import metric_of
from preceptor.job.run import Run
from preceptor.job.settings import make_settings


@dataclass(frozen=True, eq=False)
class Trained:
    """A training that ended."""

    fitting: Fitting
    judges: Judges
    run: Run
    weights: dict[str, Any]


def trained(source: Any, **settings: Any) -> Trained:
    """Trains by the main job, with nothing written, and judges."""
    settings = {"epochs": 4, **settings}
    fitting = prepare(source, make_settings(settings))
    for _ in fitting.records():
        pass
    weights, encoded = fitting._best(), fitting.encoded
    test = encoded.test_x, encoded.test_y, encoded.test_weight
    found = judge(
        fitting.preprocessor.targets, fitting.config, weights, fitting.data, *test, metric_of(fitting.settings)
    )
    return Trained(fitting, found.judges, fitting.finish(), weights)


def table(rows: int = 300, seed: int = 0, kind: str = "classes") -> dict[str, np.ndarray]:
    """Numbers, one with gaps and one with a far tail, a category, a yes or no, truth values, dates, and what
    follows from some of them."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, rows))
    a = np.round(a * 10 + 50, 1)
    tail = np.round(np.exp(2.5 * b), 3)
    tail[0] = 9_000.0
    gaps = c.copy()
    gaps[rng.random(rows) < 0.1] = np.nan
    word = rng.choice(["red", "green", "blue"], rows, p=[0.6, 0.3, 0.1]).astype(object)
    answer = rng.choice(["no", "yes"], rows).astype(object)
    day = np.datetime64("2020-01-01", "s") + rng.integers(0, 900, rows).astype("m8[D]")
    score = (a - 50) / 10 + np.clip(b, -2, 2) + 1.5 * (word == "red") + (answer == "yes") + 0.3 * rng.normal(size=rows)
    target = score if kind == "number" else np.where(score > 1.5, "high", "low").astype(object)
    return {
        "a": a,
        "tail": tail,
        "gaps": gaps,
        "word": word,
        "answer": answer,
        "is_so": rng.random(rows) < 0.3,
        "day": day,
        "y": target,
    }
