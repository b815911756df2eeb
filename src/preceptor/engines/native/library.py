"""Where the oneDNN library is, which the compiled module loads when it is first needed."""

import os
from importlib.util import find_spec
from pathlib import Path

from preceptor.errors import ConfigError, NotSupported

VARIABLE = "PRECEPTOR_ONEDNN"  # the path of another libdnnl.so, of any oneDNN 3, to be taken in its place


def library_path() -> str:
    """The path of libdnnl.so: the one that the environment names, or the one beside the compiled module.

    Raises: ConfigError where the environment names one that is not there; NotSupported where there is none.
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise ConfigError(
                f"oneDNN: received {VARIABLE}={named}; the file of a oneDNN 3 library is required, and this is none. "
                "Correct it, or unset it to use the library that was installed."
            )
        return named
    module = find_spec("preceptor.engines.native._native")
    if module is None or module.origin is None:
        raise NotSupported(
            "oneDNN: the compiled module is missing; this installation was made without it. Install again on Linux "
            "x86-64 with GCC at hand."
        )
    beside = Path(module.origin).with_name("libdnnl.so")
    if not beside.is_file():
        raise NotSupported(f"oneDNN: {beside} is missing; it is installed with the compiled module. Install again.")
    return str(beside)
