"""Parts of a search that one names by a word, with their numbers behind it: `halving:eta=4`.

The words are the classes of a package, their numbers the fields: see `preceptor.job.parts`.
"""

from preceptor.hyper import built
from preceptor.job.parts import words
from preceptor.tuning import pruners, samplers
from preceptor.tuning.pruners import NoPruner
from preceptor.tuning.pruners.base import Pruner
from preceptor.tuning.samplers.base import Sampler

SAMPLERS = words(samplers, Sampler)
PRUNERS = {"none": NoPruner} | {word: cls for word, cls in words(pruners, Pruner).items() if cls is not NoPruner}


def sampler_of(text: str) -> Sampler:
    """The sampler of a word with its numbers. Raises: ConfigError where it is none."""
    made: Sampler = built("sampler", text, SAMPLERS)
    return made


def pruner_of(text: str) -> Pruner:
    """The pruner of a word with its numbers. Raises: ConfigError where it is none."""
    made: Pruner = built("pruner", text, PRUNERS)
    return made
