"""What is told of a run: the figures are those of the run, the commands do what they say."""

import shlex
from dataclasses import replace

import click
import numpy as np
import pytest

import preceptor as pr
from preceptor.cli.fit import command
from preceptor.evidence import Evidence
from preceptor.evidence.record import Baseline, Judgement
from preceptor.job import make_settings
from preceptor.job.progress import Outcome
from preceptor.job.story import advice_of, story_of
from preceptor.train import Figure

QUICK = {"hidden": (8,), "epochs": 4, "engine": "reference"}


@pytest.fixture(scope="module")
def run():
    return pr.fit("iris", **QUICK)


def judged_by(run, *baselines):
    """The run with what simple guesses come to in place of what it has found itself."""
    own = Judgement(target="species", rows=22, baselines=[Baseline(name=n, figures=f) for n, f in baselines])
    return replace(run, evidence=Evidence(part="test", rows=22, judgements=[own]))


def test_the_verdict_tells_the_accuracy_of_the_test_rows_with_its_interval(run):
    figure = run.test["accuracy"]
    shares = [f"{100 * each:.1f} %" for each in (figure.value, figure.low, figure.high)]
    first = story_of(run).verdict[0]
    assert first.startswith(f"It predicts species rightly for {shares[0]} of {figure.rows} test rows (95 % interval ")
    assert all(each in first for each in shares)


def test_a_guess_that_does_better_by_more_than_chance_is_named(run):
    figure = run.test["accuracy"]
    low, high = {"accuracy": figure.low - 0.01}, {"accuracy": figure.high + 0.01}
    story = story_of(judged_by(run, ("a naive guess", low), ("a linear model", high)))
    assert "a naive guess comes to" in story.verdict[0]
    assert "A linear model does better" in story.verdict[0]
    assert story.level == "warn"
    assert "better" not in story_of(judged_by(run, ("a naive guess", low))).verdict[0]


def test_what_a_guess_beats_that_looks_at_no_column_is_not_to_be_relied_on(run):
    one = Figure("accuracy", 0.5, 0.45, 0.55, 400)
    judged = judged_by(run, ("the most frequent class", {"accuracy": 0.7}), ("a linear model", {"accuracy": 0.9}))
    story = story_of(replace(judged, test={"accuracy": one}))
    assert "The most frequent class and a linear model do better:" in story.verdict[0]
    assert story.level == "bad"


def test_a_linear_model_that_is_better_by_a_row_may_be_so_by_chance(run):
    one = Figure("accuracy", 67 / 68, 0.921, 0.997, 68)
    run = replace(run, test={"accuracy": one}, facts=run.facts | {"findings": []})
    story = story_of(judged_by(run, ("a linear model", {"accuracy": 1.0})))
    assert story.verdict[0].endswith("A linear model does as well on these rows.")
    assert story.level == "good"


def test_what_is_no_better_than_a_naive_guess_is_not_sound(run):
    accuracy, auc = Figure("accuracy", 0.95, 0.93, 0.97, 400), Figure("auc", 0.8, 0.75, 0.85, 400)
    run = replace(run, facts=run.facts | {"findings": [], "curve": "Looks good."})
    judged = judged_by(run, ("a naive guess", {"accuracy": 0.94, "auc": 0.5}))
    alone = story_of(replace(judged, test={"accuracy": accuracy}))
    assert alone.verdict[0].endswith("It is not surely better than a naive guess.")
    assert alone.level == "warn"
    assert alone.verdict[1] == "Nothing else was found wrong with data or training."
    assert alone.verdict[2].startswith("Next: give it more rows")
    both = story_of(replace(judged, test={"accuracy": accuracy, "auc": auc}))
    assert "In this it is not surely better than a naive guess, but in auc it is" in both.verdict[0]
    assert both.level == "good"


def test_what_was_stopped_for_it_no_longer_got_better_is_not_to_be_trained_longer(run):
    facts = {**run.facts, "curve": "Not converged. Train error 8.1%.", "epochs": 4, "best_epoch": 4, "findings": []}
    ended = {"outcome": "All epochs done; the weights with the lowest dev loss are kept."}
    longer = story_of(replace(run, facts=facts | ended))
    assert longer.verdict[-1].endswith("Next: train longer.")
    assert read(longer.command).epochs == 8
    stopped = {"outcome": "Stopped early, for the dev loss no longer fell; the last weights are kept."}
    for changed in (ended | {"best_epoch": 1}, stopped):
        assert story_of(replace(run, facts=facts | changed, evidence=None)).verdict[-1] == "Next: predict new rows."


def test_the_first_remedy_that_is_a_command_is_advised(run):
    found = {"level": "warn", "text": "Wrong.", "step": 1}
    remedies = [{"text": "standardise the inputs", "settings": {}}], [{"text": "train on", "settings": {"epochs": 40}}]
    findings = [
        found | {"rule": "collapse_to_majority"},
        found | {"rule": "unscaled_inputs", "remedies": remedies[0]},
        found | {"rule": "high_bias", "remedies": remedies[1]},
    ]
    advice = advice_of(replace(run, facts=run.facts | {"findings": findings}))
    assert advice.what == "train on"
    assert read(advice.command).epochs == 40
    alone = advice_of(replace(run, facts=run.facts | {"findings": findings[:2]}))
    assert alone == ("", "standardise the inputs", "")


@pytest.mark.parametrize(
    ("curve", "rate", "what"),
    [
        ("Not training. Train error 70%.", 0.01, "train anew with a higher learning rate, or longer"),
        ("Error increasing.", 0.0001, "train anew with a lower learning rate"),
    ],
)
def test_what_did_not_learn_is_not_told_to_take_more_rows(run, curve, rate, what):
    settings = run.facts["settings"] | {"learning_rate": 0.001}
    facts = run.facts | {"findings": [], "curve": curve, "settings": settings}
    for dev, test in ((run.dev, run.test), ({}, {})):  # judged or not
        advice = advice_of(replace(run, facts=facts, dev=dev, test=test))
        assert advice.what == what
        assert read(advice.command).learning_rate == pytest.approx(rate)


def test_what_a_linear_model_outdoes_is_to_be_trained_longer_where_it_was_best_at_its_end(run):
    one = Figure("accuracy", 0.9, 0.88, 0.92, 400)
    ended = {"outcome": "All epochs done; the weights with the lowest dev loss are kept.", "curve": "Looks good."}
    facts = run.facts | ended | {"findings": [], "epochs": 4, "best_epoch": 4}
    outdone = judged_by(replace(run, test={"accuracy": one}), ("a linear model", {"accuracy": 0.99}))
    assert advice_of(replace(outdone, facts=facts)).what == "train longer"
    assert advice_of(replace(outdone, facts=facts | {"best_epoch": 2})).what.startswith("give it more rows")


def test_of_what_was_broken_off_it_is_said_how_far_it_came(run):
    facts = run.facts | {"outcome": "Interrupted; the last weights are kept.", "epochs": 2.5}
    story = story_of(replace(run, facts=facts))
    assert story.verdict[-1] == "It was broken off after epoch 2.5 of 4. Next: go on with the training."
    assert story.command == "preceptor fit --resume RUN"


def test_a_leak_is_to_be_decided_on_before_the_run_is_used():
    x = np.random.default_rng(0).normal(size=(300, 2))
    story = story_of(pr.fit({"a": x[:, 0], "told": np.exp(x[:, 1]), "y": x[:, 1]}, "y", **QUICK))
    assert "leak (columns that give the target away)" in story.verdict[1]
    assert story.verdict[2] == "Next: leave out told unless it is known before the target is."
    assert story.command == ""  # the data came without a name


def test_the_command_leaves_out_every_column_that_tells_the_target(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 2))
    heads = ["a", '"told, it\'s"', "again", "y"]
    rows = np.column_stack((x[:, 0], np.exp(x[:, 1]), -2 * x[:, 1], x[:, 1]))
    (tmp_path / "of it.csv").write_text("\n".join([",".join(heads), *(",".join(map(str, each)) for each in rows)]))
    run = pr.fit(tmp_path / "of it.csv", "y", **QUICK)
    advice = advice_of(run)
    assert advice.what == "leave out told, it's, again unless they are known before the target is"
    assert read(advice.command).leave_out == ("told, it's", "again")
    kept = advice_of(pr.fit(tmp_path / "of it.csv", "y", leave_out="again", **QUICK))
    assert read(kept.command).leave_out == ("again", "told, it's")


def test_what_else_was_found_before_training_is_to_be_decided_on(run):
    found = [{"rule": "contradiction", "level": "warn", "text": "Two."}]
    advice = advice_of(replace(run, facts=run.facts | {"findings": found}))
    assert advice.what.startswith("decide what to do about finding 1, contradiction (")
    assert advice.command == ""


def test_the_trainings_of_a_mending_are_told(run):
    attempts = [
        {"judged": {"accuracy": 0.9}, "changes": {}, "why": [], "unsaid": []},
        {
            "judged": {"accuracy": 0.95},
            "changes": {"learning_rate": 0.01},
            "why": [{"rule": "dead_relu"}],
            "unsaid": [],
        },
    ]
    facts = run.facts | {"mended": {"attempts": attempts, "kept": 2, "command": "", "ended": ""}}
    assert story_of(replace(run, facts=facts)).mended[1:] == [
        ("training 1", "accuracy 0.9", "as asked", ""),
        ("training 2 (kept)", "accuracy 0.95", "learning rate 0.01", "dead_relu"),
    ]
    assert story_of(run).mended == []


def test_notes_are_counted_where_nothing_is_wrong(run):
    found = [{"rule": "duplicates", "level": "note", "text": "2 rows repeat another."}] * 2
    for count, words in ((0, "training."), (1, "training; 1 note below."), (2, "training; 2 notes below.")):
        story = story_of(replace(run, facts=run.facts | {"findings": found[:count]}))
        assert story.verdict[-2].startswith("Nothing ")
        assert story.verdict[-2].endswith(f"was found wrong with data or {words}")


def test_what_no_fork_tried_is_told_as_a_suspicion(run):
    found = {"rule": "lr_too_small", "level": "note", "text": "Too small.", "remedies": [{"text": "x", "settings": {}}]}
    told = story_of(replace(run, facts=run.facts | {"findings": [found]})).findings[0]
    assert told.proof.startswith("Suspected only")


def test_of_numbers_less_is_better():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    run = pr.fit({"a": x[:, 0], "b": x[:, 1], "y": x[:, 0]}, "y", **QUICK)
    figure = run.test["mae"]
    run = replace(run, evidence=None)
    value, _, interval = str(figure).removeprefix("mae ").partition(" ")
    assert f"are off by {value} on average {interval} on 18 test rows." in story_of(run).verdict[0]
    own = Judgement(target="y", rows=18, baselines=[Baseline(name="a linear model", figures={"mae": figure.low / 2})])
    run = replace(run, evidence=Evidence(part="test", rows=18, judgements=[own]))
    assert "A linear model does better" in story_of(run).verdict[0]


def test_what_was_not_judged_is_said():
    run = pr.fit("iris", **QUICK, dev_share=0, test_share=0)
    story = story_of(replace(run, facts=run.facts | {"findings": []}))
    assert story.verdict[0] == "It was not judged: no rows were kept apart from those that it learned from."
    assert story.level == "warn"
    assert story.verdict[-1] == "Next: judge it on rows that it has not seen."
    assert story.command == "preceptor evaluate RUN OTHER.csv"
    assert list(story.figures) == []


def test_a_training_that_was_broken_off_before_it_was_judged_is_not_said_to_lack_rows(run):
    ended = replace(run, facts=run.facts | {"outcome": Outcome.INTERRUPTED.value.format(kept="x")}, dev={}, test={})
    story = story_of(ended)
    assert story.verdict[0] == "It was not judged: the training was broken off before that."
    assert story.level == "warn"
    assert "go on with the training" in story.verdict[-1]


def test_of_several_targets_each_is_told():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    data = {"a": x[:, 0], "b": x[:, 1], "y": x[:, 0], "z": np.where(x[:, 1] > 0, "up", "down")}
    story = story_of(pr.fit(data, ["y", "z"], **QUICK))
    assert story.target == "y, z"
    assert "of y are off by" in story.verdict[0]
    assert "predicts z rightly" in story.verdict[1]
    assert [name for name, _ in story.figures] == ["y", "z"]


def read(line):
    """The settings that a command asks for."""
    first, second, *words = shlex.split(line)
    assert (first, second) == ("preceptor", "fit")
    found = click.Command("fit", params=command.params).make_context("fit", words).params
    others = ("data", "out", "begun", "mend", "minutes", "no_header", "as_json", "log_to")
    return make_settings({name: value for name, value in found.items() if name not in others})


def test_the_commands_make_it_again_and_with_the_remedy():
    run = pr.fit("digits", hidden=(32, 32), learning_rate=1.0, epochs=12, engine="native")
    story = story_of(run)
    again = {what.partition(",")[0]: line for what, line in story.commands}["Train it again"]
    assert read(again) == make_settings({"hidden": (32, 32), "learning_rate": 1.0, "epochs": 12, "engine": "native"})
    assert again == "preceptor fit digits --hidden 32,32 --learning-rate 1 --epochs 12 --engine native"
    told = next(each for each in story.findings if each.rule == "lr_too_large")
    kept = next(each for each in run.findings if each["rule"] == "lr_too_large")
    assert read(told.command).learning_rate == kept["remedies"][0]["settings"]["learning_rate"]
    assert told.level == "warn"
    assert told.when == "training"
    assert story.level == "warn"
    assert "lr_too_large" in story.verdict[1]
    assert story.findings[0].level == "warn"


def test_what_the_gate_found_is_told_apart():
    x = np.arange(60.0)
    run = pr.fit({"a": x % 7, "same": np.ones(60), "y": x % 7 > 3}, "y", **QUICK)
    told = {each.rule: each.when for each in story_of(run).findings}
    assert told["constant"] == "gate"


def test_settings_of_another_version_cost_the_commands_alone(run):
    facts = run.facts | {"asked": {"unheard_of": 1}}
    story = story_of(replace(run, facts=facts))
    assert "Train it again, to the same bits" not in dict(story.commands)
    assert story.verdict == story_of(run).verdict


def test_the_card_of_a_run_that_is_read_is_that_of_the_run(tmp_path):
    x = np.random.default_rng(0).normal(size=80)
    run = pr.fit({"x": x, "y": 2 * x}, "y", quantiles=(0.1, 0.9), out=tmp_path / "run", **QUICK)
    card = story_of(run).card
    assert dict(card)["quantiles"] == "0.1,0.9"
    assert story_of(pr.load(run.path)).card == card
