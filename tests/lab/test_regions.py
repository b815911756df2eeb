import numpy as np
from scipy.ndimage import label
from scipy.spatial import ConvexHull, Delaunay
from sklearn.linear_model import LogisticRegression


def inside(points, middle):
    """By the corners of the triangle: sides at a distance of 0.25 from the middle, corners at 0.5."""
    corners = middle + 0.5 * np.array([(0.866, 0.5), (-0.866, 0.5), (0.0, -1.0)])
    return Delaunay(corners).find_simplex(points) >= 0


def test_weights_by_hand_cut_out_a_line_a_triangle_and_two(found):
    figures = found("regions")
    along = np.linspace(-1, 1, 80)
    plane = np.stack(np.meshgrid(along, along), -1).reshape(-1, 2)
    one, two = inside(plane, np.array((-0.45, 0.35))), inside(plane, np.array((0.45, -0.3)))
    assert (figures.by_hand["1 hidden layer"] != one).mean() < 0.005  # corners to three digits: points on an edge
    assert (figures.by_hand["2 hidden layers"] != (one | two)).mean() < 0.01
    assert label(figures.by_hand["2 hidden layers"].reshape(80, 80))[1] == 2
    line = figures.by_hand["no hidden layer"]
    assert LogisticRegression(C=1e6, max_iter=10_000).fit(plane, line).score(plane, line) > 0.998
    assert figures.not_convex["no hidden layer"] == figures.not_convex["1 hidden layer"] == 0
    hull = plane[figures.by_hand["1 hidden layer"] == 1]
    within = Delaunay(hull[ConvexHull(hull).vertices]).find_simplex(plane) >= 0
    assert within.sum() == len(hull)


def test_what_is_learned_by_layers(found):
    figures = found("regions")
    assert np.median(figures.right["2 hidden layers"]) > 0.95
    best = max(LogisticRegression(C=c).fit(figures.x, figures.y).score(figures.x, figures.y) for c in (0.1, 1, 100))
    assert abs(figures.right["no hidden layer"].max() - best) < 0.05
    assert [each.holds for each in figures.claims()] == [True, True, False, True]
