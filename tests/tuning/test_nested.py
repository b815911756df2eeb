"""Whole searches, judged by rows that they never saw."""

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error

from preceptor.errors import ConfigError
from preceptor.job import make_settings
from preceptor.job.fit import look
from preceptor.job.stages import completed
from preceptor.tuning.nested import Outer, outer, outer_trials, summed_up
from preceptor.tuning.trials import Trials

FOLDED = {"hidden": (4,), "epochs": 2, "batch_size": 16, "members": 4, "folds": 2}
PLAIN = {"hidden": (4,), "epochs": 2, "batch_size": 16, "dev_share": 0.25}


def table() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(90, 2))
    found = {"a": x[:, 0], "b": x[:, 1], "who": np.arange(90) // 3, "day": np.arange(90)}
    return found | {"y": x[:, 0] + 0.1 * rng.normal(size=90)}


def trials(**asked) -> Trials:
    settings = make_settings({"target": "y", "leave_out": ("who", "day"), **asked})
    return Trials("", completed(look(table(), settings)), settings, threads=1)


@pytest.mark.parametrize("asked", [FOLDED, PLAIN])
def test_each_row_judges_once_and_test_rows_never(asked):
    made = trials(**asked, test_share=0.2)
    inner = set(made.seen.parts.train.tolist()) | set(made.seen.parts.dev.tolist())
    judges = list[int]()
    for each in outer_trials(made, 3):
        parts = each.seen.parts
        own = [set(part.tolist()) for part in (parts.train, parts.dev, parts.test)]
        assert own[0] | own[1] | own[2] == inner
        assert len(own[0]) + len(own[1]) + len(own[2]) == len(inner)
        assert len(own[1]) == pytest.approx(len(made.seen.parts.dev) * 2 / 3, abs=1)
        assert each.fitting({}).data.guides
        judges += parts.test.tolist()
    assert sorted(judges) == sorted(inner)


def test_groups_stay_together():
    made = trials(**PLAIN, group="who", leave_out=("day",), test_share=0.2)
    for each in outer_trials(made, 3):
        parts = each.seen.parts
        groups = [set((rows // 3).tolist()) for rows in (parts.train, parts.dev, parts.test)]
        assert not groups[0] & groups[2]
        assert not groups[1] & groups[2]
        assert not groups[0] & groups[1]


def test_what_was_kept_is_judged_by_the_rows_of_the_fold():
    made = trials(**FOLDED)
    seen = list[int]()

    def search(each: Trials, fold: int) -> dict[str, float]:
        seen.append(fold)
        return {"learning_rate": 0.05} if fold else {}

    found = summed_up([outer(each, fold, search(each, fold)) for fold, each in enumerate(outer_trials(made, 3))])
    assert seen == [0, 1, 2]
    assert [each.rows for each in found.outer] == [30, 30, 30]
    assert found.outer[0].cost == found.outer[0].default
    each = outer_trials(made, 3)[1]
    fitting = each.fitting({"learning_rate": 0.05})
    assert list(fitting.records())
    run, rows = fitting.finish(), each.seen.parts.test
    errors = mean_squared_error(table()["y"][rows], run.predict(each.seen.table.select(rows)))
    assert found.outer[1].cost == pytest.approx(errors / run.targets[0].sd ** 2 / 2, rel=1e-4)  # half a square
    assert outer(each, 1, {"learning_rate": 0.05}) == found.outer[1]


def test_the_error_takes_in_that_folds_share_rows():
    made = [Outer(fold=k, rows=10, settings={}, cost=c, default=1.0) for k, c in enumerate((0.5, 0.6, 0.7))]
    found = summed_up(made, "log loss")
    assert found.cost == pytest.approx(0.6)
    assert found.error == pytest.approx(np.sqrt((1 / 3 + 1 / 2) * np.var([0.5, 0.6, 0.7], ddof=1)))
    assert found.gain == pytest.approx(0.4)
    assert "3 outer folds, the log loss of what it keeps is 0.60 ± 0.09" in found.why
    assert "the default, which it kept in all of them" in found.why


def test_a_figure_that_is_better_the_higher_is_told_as_it_is():
    made = [Outer(fold=k, rows=10, settings={"l2": 0.1}, cost=-c, default=-0.5) for k, c in enumerate((0.6, 0.7))]
    words = summed_up(made, "auc", is_high_better=True).why
    assert "the auc of what it keeps is 0.65 ± 0.09 (standard error): 0.15 ± 0.09 better than" in words


@pytest.mark.parametrize(
    "asked, folds, words",
    [
        (PLAIN, 1, "nested 1; 2 to 64 outer folds are required"),
        (PLAIN, 1000, "nested 1000; 2 to 64 outer folds are required"),
        (PLAIN | {"time": "day", "leave_out": ("who",)}, 3, "nested 3 of rows that are divided by time"),
    ],
)
def test_what_is_impossible_is_refused(asked, folds, words):
    with pytest.raises(ConfigError, match=words):
        outer_trials(trials(**asked), folds)
