"""Who says which trials go on: a pruner a file."""

from preceptor.tuning.pruners.curve import Curve, saving_of
from preceptor.tuning.pruners.halving import Halving
from preceptor.tuning.pruners.none import NoPruner

__all__ = ["Curve", "Halving", "NoPruner", "saving_of"]
