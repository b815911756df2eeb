"""Optimisers, schedules, penalties, the step, the loop: for any network and any arrays."""

from preceptor.train import average, optim, penalty, schedule
from preceptor.train.average import *  # noqa: F403
from preceptor.train.loop import Record, train
from preceptor.train.metric import Figure, class_figures, number_figures
from preceptor.train.optim import *  # noqa: F403
from preceptor.train.penalty import *  # noqa: F403
from preceptor.train.schedule import *  # noqa: F403
from preceptor.train.step import Update
from preceptor.train.training import Arrays, Config

__all__ = [
    "Arrays",
    "Config",
    "Figure",
    "Record",
    "Update",
    "class_figures",
    "number_figures",
    "train",
    *average.__all__,
    *optim.__all__,
    *penalty.__all__,
    *schedule.__all__,
]
