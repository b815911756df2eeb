"""The main job: from a table or pictures to a trained, judged network in a folder."""

from preceptor.job.attempts import fit, following, interrupted
from preceptor.job.fit import Fitting, prepare, preparing
from preceptor.job.loading import load
from preceptor.job.lr_find import RateTest, lr_find
from preceptor.job.progress import Outcome
from preceptor.job.resume import go_on, resume, resuming
from preceptor.job.run import Run
from preceptor.job.settings import Settings, make_settings

__all__ = [
    "Fitting",
    "Outcome",
    "RateTest",
    "Run",
    "Settings",
    "fit",
    "following",
    "go_on",
    "interrupted",
    "load",
    "lr_find",
    "make_settings",
    "prepare",
    "preparing",
    "resume",
    "resuming",
]
