"""Commands that make trainings: they say what was asked for, and nothing else."""

import shlex

import click
import pytest

from preceptor.cli.fit import command
from preceptor.job.command import command_of
from preceptor.job.settings import Settings, make_settings

ASKED = [
    {},
    {"learning_rate": 0.01, "epochs": 3, "hidden": (64, 32), "seed": 7},
    {"hidden": (), "batch_norm": False, "skip_corrupt": True},
    {"target": "a,b", "leave_out": ("Price, EUR", "id"), "ignore": ("duplicates",)},
    {"target": "it's", "kind": "classes", "ordered": ()},
    {"target": "-x", "ordered": ("-1", "0", "1")},
    {
        "loss": "softmax-cross-entropy",
        "label_smoothing": 0.2,
        "optimiser": "momentum:momentum=0.8",
        "schedule": "step-decay",
    },
    {"l2": "hidden*=0.01,output*=0", "l1": 1e-3, "augment": "rotate:30,flip"},
]


@pytest.mark.parametrize("given", ASKED, ids=map(str, ASKED))
def test_a_command_asks_for_what_was_asked(given):
    asked = make_settings(given)
    first, second, *words = shlex.split(command_of("some data.csv", asked))
    assert (first, second) == ("preceptor", "fit")
    read: dict[str, object] = click.Command("fit", params=command.params).make_context("fit", list(words)).params
    assert read.pop("data") == "some data.csv"
    others = ("out", "begun", "mend", "minutes", "no_header", "as_json", "log_to")
    assert make_settings({name: value for name, value in read.items() if name not in others}) == asked


def test_what_is_as_usual_is_not_said():
    assert command_of("iris", Settings()) == "preceptor fit iris"
    assert command_of("x.csv", Settings(epochs=3), header=False) == "preceptor fit x.csv --epochs 3 --no-header"


def test_of_data_that_were_given_in_python_there_is_no_command():
    assert command_of("", Settings()) == ""
