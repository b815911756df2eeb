"""Who says which trials go on: a pruner a file."""

from preceptor.tuning.pruners.none import NoPruner

__all__ = ["NoPruner"]
