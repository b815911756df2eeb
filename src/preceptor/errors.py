"""The errors that a user can mend. One form: `<where>: <what was received>; <what is required>. <likely fix>`."""


class ShapeError(ValueError):
    """Shapes of arrays do not fit together."""


class DtypeError(ValueError):
    """The element type of an array does not suit the operation."""


class ConfigError(ValueError):
    """A setting is impossible, or two settings contradict each other."""


class DataError(ValueError):
    """The data cannot be read, or would make nonsense of the training."""


class MemoryNeeded(MemoryError):
    """More memory is needed than there is."""


class NotDifferentiable(ValueError):
    """A derivative was asked for where none exists."""


class NotSupported(NotImplementedError):
    """The request is sensible, but nothing here can do it."""
