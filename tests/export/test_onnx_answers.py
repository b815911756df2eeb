import numpy as np
import pytest
from scipy import special

from preceptor import nn
from preceptor.data import Target
from preceptor.export.onnx.answers import output_names, write_answers
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.function import Signal
from preceptor.job.head import Head
from preceptor.nn.calibration import Tempered

pytest.importorskip("onnx", reason="graphs are written with it: pip install 'preceptor[onnx]'")

Z = np.random.default_rng(0).normal(0, 3, (50, 3)).astype(np.float32)
THREE = Target("kind", "classes", classes=("a", "b", "c"))
TWO = Target("kind", "classes", classes=(False, True), labels=("no", "yes"))
PRICE = Target("price", "number", mean=1e6, sd=250.0)


def told(ran, head, outputs):
    """The answers of one target, by word."""
    builder = Builder()
    [names] = output_names([head], ["x"])
    write_answers(builder, head, names, Signal(builder.input("x", np.float32, outputs.shape[1:]), outputs.shape[1:]))
    from preceptor.export.onnx.proof import run_model

    found = run_model(builder.finish({}).SerializeToString(), {"x": outputs})
    return {word: found[name] for word, name in names.items()}


def head_of(target, loss, units=slice(None), threshold=None, name=""):
    return Head(target, loss, units, threshold, name)


def test_classes_are_told_by_name_with_their_probabilities(ran):
    found = told(ran, head_of(THREE, Tempered(nn.SoftmaxCrossEntropy(), 2.0)), Z)
    np.testing.assert_allclose(found["probabilities"], special.softmax(Z / 2, 1), atol=1e-6)
    assert found["label"].tolist() == [THREE.classes[code] for code in Z.argmax(1)]


def test_of_two_classes_the_threshold_decides_and_labels_are_as_they_were_written(ran):
    found = told(ran, head_of(TWO, nn.BinaryCrossEntropy(), threshold=0.8), Z[:, :1])
    yes = special.expit(Z[:, 0])
    np.testing.assert_allclose(found["probabilities"], np.stack([1 - yes, yes], 1), atol=1e-6)
    assert found["label"].tolist() == ["yes" if share >= 0.8 else "no" for share in yes]
    assert {"yes", "no"} == set(found["label"].tolist())


def test_members_count_by_their_shares(ran):
    outputs = np.stack([Z, 2 * Z], 1)
    found = told(ran, head_of(THREE, nn.MemberLoss(nn.SoftmaxCrossEntropy(), shares=(0.25, 0.75))), outputs)
    expected = 0.25 * special.softmax(Z, 1) + 0.75 * special.softmax(2 * Z, 1)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)


def test_classes_in_order_have_probabilities_that_are_differences(ran):
    found = told(ran, head_of(THREE, nn.CumulativeLogit()), Z[:, :2])
    first = Z[:, 0].astype(float) + np.log(2)
    second = first - np.log1p(np.exp(Z[:, 1] + np.log(np.expm1(2 * np.log(2)))))
    above = special.expit(np.stack([first, second], 1))
    expected = np.stack([1 - above[:, 0], above[:, 0] - above[:, 1], above[:, 1]], 1)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)


def test_a_margin_at_its_edge_decides_for_the_first_class(ran):
    found = told(ran, head_of(TWO, nn.Hinge()), np.array([[0.0], [1e-3], [-1]], np.float32))
    assert found["label"].tolist() == ["no", "yes", "no"]
    np.testing.assert_array_equal(found["probabilities"], [[1, 0], [0, 1], [1, 0]])


def test_numbers_are_in_the_unit_of_the_target(ran):
    found = told(ran, head_of(PRICE, nn.Quadratic()), Z[:, :1])
    np.testing.assert_allclose(found["prediction"], 1e6 + 250 * Z[:, 0].astype(float), rtol=1e-12)


def test_quantiles_rise_and_the_median_is_the_prediction(ran):
    found = told(ran, head_of(PRICE, nn.Pinball(quantiles=(0.2, 0.4, 0.9))), Z)
    quantiles = found["quantiles"]
    assert (np.diff(quantiles, axis=1) >= 0).all()
    np.testing.assert_allclose(found["prediction"], 0.8 * quantiles[:, 1] + 0.2 * quantiles[:, 2], rtol=1e-9)
    low = special.ndtri(0.2) + Z[:, 0]
    np.testing.assert_allclose(quantiles[:, 0], 1e6 + 250 * low, rtol=1e-6)


def test_each_of_several_targets_reads_its_own_outputs_under_its_name(ran):
    heads = [
        head_of(PRICE, nn.Quadratic(), slice(0, 1), name="price"),
        head_of(TWO, nn.SoftmaxCrossEntropy(), slice(1, 3), name="kind"),
    ]
    names = output_names(heads, ["prediction_price", "age"])
    assert names == [
        {"prediction": "prediction_price (2)"},
        {"label": "label_kind", "probabilities": "probabilities_kind"},
    ]
    found = told(ran, heads[1], Z)
    np.testing.assert_allclose(found["probabilities"], special.softmax(Z[:, 1:], 1), atol=1e-6)
