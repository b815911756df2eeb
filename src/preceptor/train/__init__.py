"""Optimisers, schedules, penalties, the loop, and the main job built on them."""

from preceptor.train import average, optim, penalty, schedule
from preceptor.train.average import *  # noqa: F403
from preceptor.train.fit import Fitting, Outcome, fit, prepare, preparing, resume, resuming
from preceptor.train.loop import Arrays, Config, Record, train
from preceptor.train.lr_find import RateTest, lr_find
from preceptor.train.metric import Figure, class_figures, number_figures
from preceptor.train.optim import *  # noqa: F403
from preceptor.train.penalty import *  # noqa: F403
from preceptor.train.run import Run, load
from preceptor.train.schedule import *  # noqa: F403
from preceptor.train.settings import Settings, make_settings
from preceptor.train.step import Update

__all__ = [
    "Arrays",
    "Config",
    "Figure",
    "Fitting",
    "Outcome",
    "RateTest",
    "Record",
    "Run",
    "Settings",
    "Update",
    "class_figures",
    "fit",
    "load",
    "lr_find",
    "make_settings",
    "number_figures",
    "prepare",
    "preparing",
    "resume",
    "resuming",
    "train",
    *average.__all__,
    *optim.__all__,
    *penalty.__all__,
    *schedule.__all__,
]
