"""Room on the disk for the time of a command."""

import os
import shutil
import tempfile
from pathlib import Path

from preceptor.errors import DataError


def roomy_folder() -> Path:
    """Where large files for the moment belong: TMPDIR if set, else /var/tmp, for /tmp often lies in memory."""
    lasting = Path("/var/tmp")
    return lasting if "TMPDIR" not in os.environ and os.access(lasting, os.W_OK) else Path(tempfile.gettempdir())


def check_room(needed: int, what: str) -> None:
    """Raises: DataError where `roomy_folder` has not so many bytes to spare."""
    folder = roomy_folder()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{what}: {needed / 2**30:,.1f} GiB are needed on the disk for the time of the command, and {folder} has "
            f"{free / 2**30:,.1f}. Free some, or set TMPDIR to a folder on a larger disk."
        )
