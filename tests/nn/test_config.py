import inspect
import json

import pytest

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.nn.config import KNOWN


def test_every_layer_initialiser_and_loss_can_be_saved():
    abstract = (nn.Layer, nn.Initialiser, nn.Loss)
    classes = [each for name in nn.__all__ if inspect.isclass(each := getattr(nn, name)) and each not in abstract]
    assert {each.__name__ for each in classes} <= set(KNOWN)


@pytest.mark.parametrize(
    "value",
    [
        nn.mlp((8, 4), 3, activation=nn.LeakyRelu(0.2), initialiser=nn.Gaussian(0.1), drop_rate=0.3, batch_norm=True),
        nn.linear_model(2),
        *(nn.Quadratic(), nn.SoftmaxCrossEntropy(), nn.BinaryCrossEntropy(), nn.OneVsAll()),
        *(nn.Hinge(), nn.MulticlassHinge(), nn.PerceptronCriterion()),
        *(nn.ProbabilityCrossEntropy(1e-6), nn.ProbabilityBinaryCrossEntropy(), nn.ProbabilityDistance(1)),
        *(nn.Uniform(0.2), nn.TruncatedGaussian(0.1), nn.Orthogonal(), nn.GlorotUniform(), nn.HeUniform()),
        *(nn.Dense(2, bias_initialiser=nn.Gaussian(1.0)), nn.Convolution(2, bias_initialiser=nn.Constant(0.1))),
        *(nn.Constant(2.0), nn.Gaussian(0.5), nn.Xavier(), nn.Glorot(), nn.He(), nn.InverseWidth()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_networks_losses_and_initialisers_survive_json(value):
    assert nn.from_config(json.loads(json.dumps(nn.to_config(value)))) == value


def test_config_is_readable():
    assert nn.to_config(nn.Dense(3)) == {
        "class": "Dense",
        "units": 3,
        "bias": True,
        "initialiser": {"class": "He"},
        "bias_initialiser": {"class": "Constant", "value": 0.0},
    }


def test_unknown_classes_and_fields_are_refused():
    with pytest.raises(ConfigError, match=r"model: received the class 'os\.system'; only layers and losses"):
        nn.from_config({"class": "os.system"})
    with pytest.raises(ConfigError, match=r"model: Relu has no field height\. Was it saved by a newer version\?"):
        nn.from_config({"class": "Relu", "height": 3})
    with pytest.raises(ConfigError, match=r"model: Dense lacks units; a layer is saved with all its fields"):
        nn.from_config({"class": "Dense", "bias": False})
    with pytest.raises(ConfigError, match=r"Dropout: drop_rate is 3; it must be 0 to 0\.99"):
        nn.from_config({"class": "Dropout", "drop_rate": 3})
