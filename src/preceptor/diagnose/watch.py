"""Watches a training of PyTorch's: hooks gather, at a few of its steps, the figures that rules look at."""

import math
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from preceptor.diagnose.diagnosis import Diagnosis, diagnose
from preceptor.diagnose.doctor import FEWEST, MILESTONES
from preceptor.errors import ConfigError, NotSupported

__all__ = ["Watcher", "watch"]

GROWTH = 1.5  # of the steps from one look to the next, where it is not known how many there will be
ROWS, LONGEST = 256, 8  # of a look: rows that are enough, and steps over which they are gathered at most


def watch(
    model: Any,
    optimizer: Any,
    *,
    steps: int | None = None,
    class_counts: Sequence[int] | None = None,
    constant_loss: float | None = None,
) -> "Watcher":
    """Watches a training loop of PyTorch's, by three lines in it:

        watcher = pr.watch(model, optimizer, steps=epochs * len(loader))
        watcher.step(loss)                  # after each optimizer.step()
        print(watcher.diagnose())           # at the end, or at any time

    Nothing of the training is changed: weights are the same bits with and without. Figures of the layers are gathered
    in the first step and at 1.5, 4, 10, 20, 40, 70 and 100 % of the planned ones (else at step 20, 30, 45, ...), on 256
    rows or those of 8 steps; at all others nothing but the loss and the learning rate is kept. What `diagnose` does
    with them, and what a finding is without a trial, is told there.

    Args:
        model: a `torch.nn.Module`. Each module that holds no others, or has parameters of its own, is a layer.
            Activations that are called as functions (`torch.relu`) are not seen, nor is the inside of a compiled model.
        optimizer: the `torch.optim.Optimizer` that moves it.
        steps: of the optimiser that are planned, where that is known.
        class_counts, constant_loss: as of `diagnose`.

    Raises: NotSupported where PyTorch is not installed; ConfigError where model or optimizer is none of its.
    """
    return Watcher(model, optimizer, steps, {"class_counts": class_counts, "constant_loss": constant_loss})


class Watcher:
    """What `watch` gives; also a context, at whose end the model is left without hooks.

    Args:
        records: what was gathered so far, as `diagnose` takes it; `facts` what it takes beside them by name. Both are
            JSON types once `settle` was called, as `diagnose` and `close` do.
    """

    def __init__(self, model: Any, optimizer: Any, steps: int | None, facts: Mapping[str, Any]) -> None:
        try:
            torch = import_module("torch")
        except ImportError:
            raise NotSupported("watch: PyTorch is not installed; install it to watch its trainings.") from None
        if not isinstance(model, torch.nn.Module):
            raise ConfigError(f"watch: received a model of type {type(model).__name__}; a torch.nn.Module is required.")
        if not isinstance(optimizer, torch.optim.Optimizer):
            kind = type(optimizer).__name__
            raise ConfigError(f"watch: received an optimizer of type {kind}; a torch.optim.Optimizer is required.")
        self._figures = import_module("preceptor.diagnose.torch_figures")
        self.model, self.optimizer = model, optimizer
        self.records: list[dict[str, Any]] = []
        self.facts = {"steps": steps, "optimiser": self._figures.described_optimiser(optimizer)} | dict(facts)
        self._made = 0
        self._starts = _starts(steps)
        self._next = next(self._starts, math.inf)
        self._pending: list[tuple[dict[str, Any], str, Any]] = []  # tensors that are to become numbers
        self._rate: Any = None
        self._hook = optimizer.register_step_pre_hook(self._before_step)
        self._gathering: Any = self._figures.Gathering(model, optimizer)
        self._first: dict[str, Any] | None = None

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def step(self, loss: Any) -> None:
        """Tells of a step that the optimiser has made.

        Args:
            loss: the mean loss of its batch, a number or a tensor with one.
        """
        self._made += 1
        record: dict[str, Any] = {"step": self._made}
        self.records.append(record)
        self._keep(record, {"loss": loss, "learning_rate": self._rate})
        if self._gathering is not None:
            self._first = self._first or record
            self._gathering.steps += 1
            if self._gathering.rows >= ROWS or self._gathering.steps >= LONGEST or self._made == 1:
                self._end_look()
        if self._gathering is None and self._made + 1 >= self._next:
            self._gathering = self._figures.Gathering(self.model, self.optimizer)
            while self._made + 1 >= self._next:
                self._next = next(self._starts, math.inf)

    def epoch(
        self,
        train_loss: Any = None,
        dev_loss: Any = None,
        train_error: Any = None,
        dev_error: Any = None,
    ) -> None:
        """Tells what the model came to outside training, at the end of an epoch or at any time: numbers, or tensors
        with one, that mean what they do in a record."""
        record: dict[str, Any] = {"step": self._made}
        self.records.append(record)
        given = {"train_loss": train_loss, "dev_loss": dev_loss, "train_error": train_error, "dev_error": dev_error}
        self._keep(record, given)

    def diagnose(self) -> Diagnosis:
        """What is known of the training so far.

        Raises: DataError before the first step.
        """
        self.settle()
        return diagnose(self.records, **self.facts)

    def settle(self) -> None:
        """Puts all that was gathered into `records` and `facts`."""
        if self._gathering is not None and self._gathering.steps:
            self._end_look()
        for record, name, value in self._pending:
            record[name] = float(value)
        self._pending.clear()

    def close(self) -> None:
        """Takes all hooks away; what was gathered stays."""
        self.settle()
        if self._gathering is not None:
            self._gathering.close()
            self._gathering = None
        self._hook.remove()

    def _before_step(self, optimizer: Any, *_: Any) -> None:
        self._rate = optimizer.param_groups[0]["lr"]

    def _end_look(self) -> None:
        gathering, self._gathering = self._gathering, None
        gathering.close()
        assert self._first is not None
        self._first |= gathering.figures()
        self._first = None
        before = self.facts
        self.facts = before | gathering.facts()
        self.facts["layers"] = before.get("layers", {}) | self.facts["layers"]
        if "batch_size" in before:  # of the first step; the last batch of an epoch may be smaller
            self.facts["batch_size"] = before["batch_size"]

    def _keep(self, record: dict[str, Any], given: Mapping[str, Any]) -> None:
        for name, value in given.items():
            if value is None:
                continue
            own = value.detach() if hasattr(value, "detach") else value
            if own is value or value.device.type == "cpu":
                record[name] = float(own)
            else:  # a copy, not its number: an accelerator would have to be waited for
                self._pending.append((record, name, own.clone()))


def _starts(steps: int | None) -> Iterator[int]:
    """The steps from which on layers are looked at, after the first."""
    if steps is None:
        at = float(FEWEST)
        while True:
            yield math.ceil(at)
            at *= GROWTH
    last = 1
    for share in MILESTONES:
        start = max(min(FEWEST, steps), math.ceil(share * steps)) - LONGEST + 1
        if start > last:
            last = start + LONGEST - 1
            yield start
