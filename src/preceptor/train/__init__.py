"""Optimisers, schedules, penalties, the loop, and the main job built on them."""

from preceptor.train import optim, penalty, schedule
from preceptor.train.fit import Fitting, Outcome, fit, prepare, preparing, resume, resuming
from preceptor.train.loop import Arrays, Config, Record, train
from preceptor.train.metric import Figure, class_figures, number_figures
from preceptor.train.optim import *  # noqa: F403
from preceptor.train.penalty import *  # noqa: F403
from preceptor.train.run import Run, load
from preceptor.train.schedule import *  # noqa: F403
from preceptor.train.settings import Settings, make_settings

__all__ = [
    "Arrays",
    "Config",
    "Figure",
    "Fitting",
    "Outcome",
    "Record",
    "Run",
    "Settings",
    "class_figures",
    "fit",
    "load",
    "make_settings",
    "number_figures",
    "prepare",
    "preparing",
    "resume",
    "resuming",
    "train",
    *optim.__all__,
    *penalty.__all__,
    *schedule.__all__,
]
