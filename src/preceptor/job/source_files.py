"""Which files are read where something is the source of a table or of pictures: results must not replace them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from preceptor.data import looks_like_pictures
from preceptor.data.pictures.arrays import IDX_NAME
from preceptor.data.pictures.files import FolderFiles, is_picture, readable


def where(source: str | Path) -> str:
    """What a run calls its source: the whole path of what lies on the disk, the name of a bundled table."""
    return readable(str(Path(source).resolve()) if Path(source).exists() else str(source))


def files_of(source: Any) -> Iterator[Path]:
    """The files that may be read where this is the source of a table or of pictures; none of what is no path.

    Of a folder all that are below it. Beside a file, where it is a list of pictures or itself one of several files that
    make a set, those that such a set is made of.
    """
    if not isinstance(source, (str, Path)) or not str(source):  # "" stands for a table given in Python
        return
    path = Path(source)
    if path.is_dir():
        yield from _below(path)
    elif path.is_file():
        yield path
        if looks_like_pictures(path):
            yield from (each for each in _below(path.parent) if is_picture(each.name) or IDX_NAME.fullmatch(each.name))


def _below(folder: Path) -> Iterator[Path]:
    files = FolderFiles(folder)
    return map(files.path, files.names)
