"""Optimisers, schedules, penalties, the loop, and the main job built on them."""

from preceptor.train.fit import Fitting, Outcome, fit, prepare
from preceptor.train.loop import Arrays, Config, Record, train
from preceptor.train.metric import Figure, class_figures, number_figures
from preceptor.train.optim import SGD, Adam, AdamW, Momentum, Nesterov, Optimiser, RMSProp
from preceptor.train.penalty import L1, L2, Penalty
from preceptor.train.run import Run, load
from preceptor.train.schedule import Constant, Cosine, Exponential, InverseTime, OneCycle, Schedule, StepDecay
from preceptor.train.settings import Settings, make_settings

__all__ = [
    "L1",
    "L2",
    "SGD",
    "Adam",
    "AdamW",
    "Arrays",
    "Config",
    "Constant",
    "Cosine",
    "Exponential",
    "Figure",
    "Fitting",
    "InverseTime",
    "Momentum",
    "Nesterov",
    "OneCycle",
    "Optimiser",
    "Outcome",
    "Penalty",
    "RMSProp",
    "Record",
    "Run",
    "Schedule",
    "Settings",
    "StepDecay",
    "class_figures",
    "fit",
    "load",
    "make_settings",
    "number_figures",
    "prepare",
    "train",
]
