"""Learning without labels: tasks that make inputs and targets of the data themselves.

A task is a file here, and a class named in TASKS.
"""

from preceptor.pretext.colour import Colour
from preceptor.pretext.columns import Columns, ColumnStream
from preceptor.pretext.contrast import Contrast
from preceptor.pretext.inpaint import Inpaint
from preceptor.pretext.position import Position
from preceptor.pretext.preprocessor import TaskPreprocessor
from preceptor.pretext.rotation import Rotation
from preceptor.pretext.stream import TaskRows, TaskStream
from preceptor.pretext.task import Frame, PictureTask, Task
from preceptor.words import hyphenated

TASKS: dict[str, type[Task]] = {
    hyphenated(each.__name__): each for each in (Rotation, Colour, Inpaint, Position, Contrast, Columns)
}

__all__ = [
    "TASKS",
    "Colour",
    "ColumnStream",
    "Columns",
    "Contrast",
    "Frame",
    "Inpaint",
    "PictureTask",
    "Position",
    "Rotation",
    "Task",
    "TaskPreprocessor",
    "TaskRows",
    "TaskStream",
]
