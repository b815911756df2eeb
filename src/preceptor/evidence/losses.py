"""What the steps cost: the objective of the training, and of the forks that proved a remedy."""

from preceptor.diagnose import Doctor
from preceptor.diagnose.fork import Arm
from preceptor.evidence.record import Curve, Fork, finite
from preceptor.train.course import Course

__all__ = ["curve_of", "forks_of"]


def curve_of(course: Course, start: int = 0) -> Curve:
    """A course as a curve: of each block the middle of its steps, the mean, the lowest and the highest.

    Args:
        start: the step after which the course begins.
    """
    x, y = (start + course.places).tolist(), finite(course.means.tolist())
    if course.width == 1:
        return Curve(x=x, y=y)
    low, high = (finite(each.tolist()) for each in course.ends)
    return Curve(x=x, y=y, low=low, high=high)


def forks_of(doctor: Doctor) -> list[Fork]:
    """The losses of each fork that proved what is told, in the order of the findings."""
    proved = [each.rule for each in doctor.findings if each.proof is not None]
    return [_fork(rule, *doctor.arms[rule]) for rule in dict.fromkeys(proved) if rule in doctor.arms]


def _fork(rule: str, without: Arm, with_it: Arm) -> Fork:
    curves = [curve_of(each.losses, each.start) for each in (without, with_it)]
    return Fork(rule=rule, without=curves[0], with_it=curves[1])
