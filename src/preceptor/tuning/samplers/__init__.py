"""Who draws the trials: a sampler a file."""

from preceptor.tuning.samplers.coarse import Coarse
from preceptor.tuning.samplers.grid import Grid
from preceptor.tuning.samplers.low_discrepancy import LowDiscrepancy
from preceptor.tuning.samplers.optuna import Optuna
from preceptor.tuning.samplers.random import Random

__all__ = ["Coarse", "Grid", "LowDiscrepancy", "Optuna", "Random"]
