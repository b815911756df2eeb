"""Words with numbers behind them."""

import pytest

from preceptor.errors import ConfigError
from preceptor.hyper import built, hyper, settings


@settings
class Turn:
    degrees: float = hyper(default=15.0, low=0, high=180)
    times: int = hyper(default=1, low=1)
    border: str = hyper(default="edge", choices=("edge", "black"))


@settings
class Plain:
    pass


CLASSES = {"turn": Turn, "plain": Plain}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("turn", Turn()),
        ("turn:30", Turn(30.0)),
        (" turn : 30 : 2 ", Turn(30.0, 2)),
        ("turn:times=3", Turn(times=3)),
        ("turn:1e1:border=black", Turn(10.0, border="black")),
        ("plain", Plain()),
    ],
)
def test_a_word_and_its_numbers(text, expected):
    found = built("here", text, CLASSES)
    assert found == expected
    assert {name: type(value) for name, value in vars(found).items()} == {
        name: type(value) for name, value in vars(expected).items()
    }


@pytest.mark.parametrize(
    "text, message",
    [
        ("trun", r"here has 'trun'; its words are turn, plain. Did you mean turn\?"),
        ("", "here has ''; its words are"),
        ("turn:", "Turn: degrees is ''; it must be a number"),
        ("turn:far", "Turn: degrees is 'far'; it must be a number"),
        ("turn:1:1.5", "Turn: times is 1.5; it must be a whole number"),
        ("turn:1:2:edge:4", r"turn takes degrees \(0 to 180\), times \(at least 1\), border \(edge, black\)"),
        ("turn:angle=3", "turn takes degrees"),
        ("turn:3:degrees=4", "each at most once"),
        ("plain:1", "plain takes no numbers"),
        ("turn:200", "Turn: degrees is 200; it must be 0 to 180"),
        ("turn:nan", "Turn: degrees is nan"),
        ("turn:border=red", "Turn: border is 'red'"),
    ],
)
def test_what_is_no_such_word_or_number_is_said(text, message):
    with pytest.raises(ConfigError, match=message):
        built("here", text, CLASSES)
