"""The picture: well-formed, complete, nothing over anything else, no markup from names."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import preceptor as pr
from preceptor.errors import ConfigError, NotSupported
from preceptor.report import explain
from preceptor.report.examples import examples
from preceptor.report.graph_picture import SMALL, Drawing

NAME = "{http://www.w3.org/2000/svg}"


def deep(x):
    for _ in range(20):
        x = pr.sin(x) + 0.5 * x
    return x


PICTURES = {
    **{name: explain(each.function, *each.arguments) for name, each in examples.items()},
    **{f"{name} steps": explain(each.function, *each.arguments, detail="steps") for name, each in examples.items()},
    "deep": explain(deep, 0.3, detail="variables"),
    "long": explain(lambda x, y: pr.sum(pr.exp(x) * pr.log(y) / pr.sqrt(x + y)), np.full(40, 0.1), np.ones(40)),
    "identity": explain(lambda x: x, 1.0),
}


def rectangles(root):
    return [
        [float(each.get(key)) for key in ("x", "y", "width", "height")]
        for each in root.iter(f"{NAME}rect")
        if each.get("class") == "box"
    ]


def text_rectangles(root):
    for each in root.iter(f"{NAME}text"):
        size = float(each.get("font-size"))
        width = len(each.text) * size * 0.602  # DejaVu Sans Mono
        left = float(each.get("x")) - (width / 2 if each.get("text-anchor") == "middle" else 0)
        yield each.text, [left, float(each.get("y")) - 0.75 * size, width, 0.95 * size]


def overlap(one, other):
    return all(one[i] + one[i + 2] > other[i] + 0.5 and other[i] + other[i + 2] > one[i] + 0.5 for i in (0, 1))


def straight_parts(root):
    """Arrows as chains of short straight lines."""
    for each in root.iter(f"{NAME}path"):
        if each.get("fill") != "none":
            continue
        at = np.zeros(2)
        for letter, numbers in re.findall(r"([MLC])([^MLC]*)", each.get("d")):
            points = np.array([pair.split(",") for pair in numbers.split()], float)
            if letter == "L":
                yield from zip(*[iter(np.linspace(at, points[0], 12))], strict=True)
            if letter == "C":
                for t in np.linspace(0, 1, 12):
                    a, b, c = points
                    yield ((1 - t) ** 3 * at + 3 * t * (1 - t) ** 2 * a + 3 * t * t * (1 - t) * b + t**3 * c,)
            at = points[-1]


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("name", PICTURES)
def test_nothing_covers_anything(name, vertical):
    root = ElementTree.fromstring(Drawing(PICTURES[name].nodes, vertical).svg())
    boxes, texts = rectangles(root), list(text_rectangles(root))
    assert len(boxes) == len(PICTURES[name].nodes)
    for i, one in enumerate(boxes):
        assert not any(overlap(one, other) for other in boxes[:i])
    for i, (_, one) in enumerate(texts):
        assert not any(overlap(one, other) for _, other in texts[:i])
    small = [
        place
        for (_, place), each in zip(texts, root.iter(f"{NAME}text"), strict=True)
        if each.get("font-size") == str(SMALL)
    ]
    for one in small:
        assert not any(overlap(one, box) for box in boxes)
    page = [0.0, 0.0, float(root.get("width")), float(root.get("height"))]
    for place in [*boxes, *(place for _, place in texts)]:
        assert place[0] >= 0
        assert place[1] >= 0
        assert place[0] + place[2] <= page[2]
        assert place[1] + place[3] <= page[3]
    for (point,) in straight_parts(root):
        for x, y, width, height in boxes:
            assert not (x + 1 < point[0] < x + width - 1 and y + 1 < point[1] < y + height - 1)


def test_formulas_values_and_derivatives_are_written():
    svg = PICTURES["chain"].svg()
    for words in ("t = x²", "u1 = sin(t)", "cos(t)", "-0.6536", "dJ/dt = 2.275", "= -0.6337 + 2.908", "J = cos(u)"):
        assert f">{words}<" in svg
    colours = {each.get("fill") for each in ElementTree.fromstring(svg).iter(f"{NAME}text")}
    assert len(colours) == 4


def test_names_are_text_and_never_markup():
    explanation = explain(
        lambda p: pr.sum(p["<script>alert(1)</script>"] * 2), {"<script>alert(1)</script>": np.ones(2)}
    )
    svg = explanation.svg()
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    odd = explain(lambda p: 2 * p["a\x00\n&\"'"], {"a\x00\n&\"'": 1.0})
    assert "a\\x00\\n&\"'" in "".join(ElementTree.fromstring(odd.svg()).itertext())


def test_a_large_graph_is_refused():
    def long(x):
        for _ in range(70):
            x = pr.sin(x)
        return x

    with pytest.raises(NotSupported, match="the graph has 71 steps; at most 60 can be drawn"):
        explain(long, 1.0).svg()


def test_save_writes_one_file(tmp_path):
    path = PICTURES["chain"].save(tmp_path / "chain.svg")
    assert path.read_text(encoding="utf-8") == PICTURES["chain"].svg()
    with pytest.raises(ConfigError, match=r"must end in \.svg"):
        PICTURES["chain"].save(tmp_path / "chain.png")
