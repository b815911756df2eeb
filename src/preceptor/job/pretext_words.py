"""A task as one writes it, and how well it is solved, in words. A `run` is a `Run`, which has itself told by these."""

import math
from typing import Any

from preceptor.hyper import built, text_of
from preceptor.pretext import TASKS, Task
from preceptor.words import amount

__all__ = ["make_task", "solved", "task_text", "word_of"]

# Of each figure by which it is told how well a task is solved, what stands before and behind its value.
SENTENCES = {
    "accuracy": ("It tells rightly", "of the dev part"),
    "explained": ("It tells", "of the variance of what was hidden in the dev part"),
    "found": ("It finds the partner of", "of the views of the dev part"),
    "auc": ("It holds the exchanged one for exchanged in", "of the pairs of numbers of the dev part"),
}


def task_text(task: Task) -> str:
    """A task as one writes it, with its numbers that are not as usual: the inverse of `make_task`."""
    return text_of(task, TASKS)


def word_of(task: Task) -> str:
    """What a task is called."""
    return task_text(task).partition(":")[0]


def make_task(text: str) -> Task:
    """The task of a word with its numbers: rotation, contrast:temperature=0.2. Raises: ConfigError where it is none."""
    made: Task = built("pretrain: task", text, TASKS)
    return made


def solved(run: Any) -> tuple[bool, str] | None:
    """Whether the task is surely solved better than by guessing, and how well beside that, in a sentence or two; None
    where it was not judged."""
    name, chance = make_task(run.facts["task"]).chance
    figure, usual = run.dev.get(name), run.dev.get("most_frequent")
    if figure is None:
        return None
    before, behind = SENTENCES[name]
    ends = f"95 % interval {_share(figure.low)} to {_share(figure.high)}"
    guess = chance if usual is None else float(usual)
    text = f"{before} {_share(float(figure))} {behind} ({ends}), where guessing comes to {_share(guess)}."
    is_better = figure.low > guess
    return is_better, text if is_better else f"{text} It is not surely better than guessing."


def _share(value: float) -> str:
    return f"{amount(100 * value, 3)} %" if math.isfinite(value) else "none"
