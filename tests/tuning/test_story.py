"""What a search found, in words."""

import msgspec
import pytest
from founds import FOUNDS, all_failed, found_of, hostile, packed, under_way

from preceptor.tuning import story
from preceptor.tuning.importance import Effects, effects_of
from preceptor.tuning.page import render
from preceptor.tuning.record import Candidate, Choice, Found, Nested, Outer, Saving, Trial


def small(**changes):
    """The default and two others, the second of which is kept."""
    common = {"round": 1, "state": "done", "epochs": 10}
    trials = [
        Trial(number=0, point=(), settings={}, best=0.3, score=0.3, **common),
        Trial(number=1, point=(0.4,), settings={"l2": 0.0123456, "hidden": [64, 32]}, best=0.25, score=0.25, **common),
        Trial(number=2, point=(0.9,), settings={"l2": 1.0}, round=1, state="failed", error="it diverged."),
    ]
    found = Found(
        data="t.csv",
        targets=["y"],
        rows=100,
        seed=0,
        figure="dev loss",
        is_high_better=False,
        asked={},
        sampler="random",
        pruner="",
        space=[],
        trials=trials,
        epochs=10,
        seconds=75,
        choice=Choice(
            kept=1,
            best=1,
            why="It is the best.",
            candidates=[
                Candidate(number=0, gain=0, error=0, repeats=[0.3, 0.32]),
                Candidate(number=1, gain=0.04, error=0.01, repeats=[0.25, 0.29]),
            ],
        ),
    )
    return msgspec.structs.replace(found, **changes)


def test_the_verdict_says_what_was_kept_how_sure_and_what_it_took():
    assert story.verdict(
        small(test={"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95, "accuracy_rows": 40})
    ) == [
        "Trial 1 is kept: l2 0.0123, hidden 64,32.",
        "Its dev loss is 0.25, that of the default 0.3. Trained again, over 2 divisions of the rows it is 0.040 ± "
        "0.010 (standard error) better: 4 standard errors, hardly chance.",
        "It took 3 trials (1 failed) and 20 epochs in 1 min 15 s.",
        "On 40 test rows, looked at once, what is kept comes to accuracy 0.90 (0.80 to 0.95).",
    ]


def test_the_default_that_is_kept_is_told_so():
    found = small(choice=Choice(kept=0, best=1, why=""))
    assert story.verdict(found)[0] == "The default is kept: of the 2 other trials none is better beyond noise."
    two = msgspec.structs.replace(found, trials=found.trials[:2])
    assert story.verdict(two)[0] == "The default is kept: the other trial is not better beyond noise."


def test_a_quantile_and_the_share_below_it_are_told_apart():
    words = story.tested({"below_0.1": 0.03, "below_0.1_low": 0.0, "below_0.1_high": 0.14}, "it")
    assert "below 0.1: 0.03 (0.00 to 0.14)" in words


@pytest.mark.parametrize(
    "gain, error, words",
    [
        (0.04, 0.01, "4 standard errors, hardly chance"),
        (0.025, 0.01, "2.5 standard errors, more than chance"),
        (0.01, 0.01, "1 standard error, probably more than chance"),
        (0.005, 0.01, "0.5 standard errors, no more than chance may give"),
        (0.01, 0.0, "how sure that is, nothing tells"),
    ],
)
def test_how_sure_a_gain_is(gain, error, words):
    assert story.surety(gain, error) == words


def test_without_repeats_nothing_is_sure():
    found = small()
    found.choice = Choice(kept=1, best=1, why="")
    assert "nothing tells how much of that is luck" in story.verdict(found)[1]


@pytest.mark.parametrize(
    "saving, words",
    [
        (
            Saving(epochs=30, asked=120, regret=0.01),
            "saved 75% of the work. The best of the paused trials may have come",
        ),
        (Saving(epochs=30, asked=120, regret=0), "None of the paused trials is expected"),
        (Saving(epochs=30, asked=120), "What it may have cost, nothing tells."),
        (Saving(epochs=120, asked=120), "All 120 epochs were made: no trial was paused."),
    ],
)
def test_what_pausing_saved(saving, words):
    assert words in story.saved(small(saving=saving))


def test_figures_of_several_targets_are_told_by_their_names():
    found = small(
        test={"price": {"rmse": 2.0, "rmse_low": None, "rmse_high": 3.0, "rmse_rows": 9}, "sold": {"auc": 0.7}}
    )
    assert story.verdict(found)[-1] == (
        "On 9 test rows, looked at once, what is kept comes to price: rmse 2, sold: auc 0.7."
    )


def test_levels():
    assert story.level(small()) == "good"
    assert story.level(under_way()) == "warn"
    assert story.level(all_failed()) == "bad"


def test_the_table_ends_with_the_default_where_it_is_not_among_the_best():
    found = found_of(40)
    cells = story.table(found, 3)
    assert cells[0][:4] == ("trial", "dev loss", "epochs", "state")
    assert len({len(each) for each in cells}) == 1
    numbers = [each[0] for each in cells[1:]]
    assert numbers[0].split()[0] == str(found.choice.best)
    assert "0 (default)" in numbers
    assert any("kept" in each for each in numbers)
    costs = [float(each[1]) for each in cells[1:4]]
    assert costs == sorted(costs)


def test_importance_is_not_told_where_the_model_knows_nothing():
    assert story.importance(small(), None).startswith("Nothing tells which settings mattered")
    poor = Effects([], 0.0, 0.1, 20)
    assert story.importance(small(), poor).endswith("explains 10% of how those differ that it did not see.")
    found = found_of(64)
    assert story.importance(found, effects_of(found.trials)).startswith(
        "Of how trials differ, this explains: learning rate 9"
    )


@pytest.mark.parametrize("name", [each for each in FOUNDS if each != "many"])
def test_lines_for_the_terminal_are_words_and_sentences(name):
    said = story.lines(FOUNDS[name]())
    assert said[0][0] == "verdict"
    assert all(text for _, text in said)
    assert [word for word, _ in said].count("note") <= 1


def test_reasons_of_failures_are_counted():
    found = all_failed()
    assert story.failed(found)[0] == "3 trials failed, trial 0 the first: it broke: 0"
    assert story.failed(small()) == ["Trial 2 failed: it diverged."]
    many = [msgspec.structs.replace(found.trials[0], number=at, error=str(at)) for at in range(20)]
    assert story.failed(msgspec.structs.replace(found, trials=many))[-1] == "12 trials failed for other reasons."


def test_a_pack_is_told():
    found = packed()
    assert story.verdict(found)[0].startswith(f"Trial {found.choice.kept} is kept: ")
    assert story.pack(found).startswith("The pack is trials ")
    assert "together they are 0.012 better than trial" in story.pack(found)
    assert ("pack", story.pack(found)) in story.lines(found)
    alone = msgspec.structs.replace(found.choice, packed={found.choice.kept: 1.0}, gain=0.0, error=0.0)
    words = story.pack(msgspec.structs.replace(found, choice=alone))
    assert words.startswith(f"The pack is trial {found.choice.kept} alone, which is kept")
    alone = msgspec.structs.replace(found.choice, packed={found.choice.kept: 1.0}, gain=-0.02, error=0.01, kept=0)
    assert "it is 0.02 worse than the default, 2 standard errors" in story.pack(
        msgspec.structs.replace(found, choice=alone)
    )


def test_settings_in_which_all_trials_agree_are_not_told():
    found = found_of(20)
    trials = [msgspec.structs.replace(each, settings=each.settings | {"members": 16}) for each in found.trials]
    assert "members" not in story.settings_of(trials)
    assert "momentum" in story.settings_of(trials)
    assert story.settings_of(trials[:2]) == list(trials[1].settings)


def test_nested_cross_validation_is_told():
    outer = [Outer(fold=at, rows=30, settings={"l2": 0.1}, cost=0.3, default=0.4) for at in range(3)]
    nested = Nested(outer=outer, cost=0.3, error=0.01, gain=0.1, gain_error=0.02, why="The search is better.")
    found = small(nested=nested)
    assert ("nested", "The search is better.") in story.lines(found)
    page = render(found)
    assert "The search is better." in page
    assert page.count("l2 0.1") >= 3


def test_strange_names_go_through():
    assert "<script>" in story.verdict(hostile())[0]
