"""The recipe: what a training is like where the user left it open, chosen by the facts of the data."""

import numpy as np

from preceptor.data import Preprocessor
from preceptor.engines import choose_engine
from preceptor.nn import Layer, Loss
from preceptor.train.loop import Config
from preceptor.train.settings import Settings

ROW_VISITS = 3_000_000  # rows seen in a whole training by default, within EPOCHS: 100 epochs for small tables
EPOCHS = (10, 100)
BATCH_SIZES = (32, 256)  # small tables take small batches; a batch is about 1/200 of the training rows between


def complete(settings: Settings, preprocessor: Preprocessor, rows: int) -> Settings:
    """The settings with what they leave open chosen by the data: `rows` training rows, as `preprocessor` sees them."""
    return settings


def make_config(settings: Settings, network: Layer, loss: Loss, rows: int) -> Config:
    """The training that settings ask for; what they leave open is chosen by the number of training rows."""
    optimiser = settings.make_optimiser()
    epochs = settings.epochs or int(np.clip(ROW_VISITS // rows, *EPOCHS))
    size = settings.batch_size or int(np.clip(2 ** round(np.log2(max(rows / 200, 1))), *BATCH_SIZES))
    return Config(
        network=network,
        loss=loss,
        optimiser=optimiser,
        schedule=settings.make_schedule(),
        penalties=settings.make_penalties(),
        learning_rate=optimiser.usual_rate if settings.learning_rate is None else settings.learning_rate,
        warmup=settings.warmup,
        batch_size=min(size, rows),
        epochs=epochs,
        seed=settings.seed,
        engine=choose_engine(settings.engine, settings.precision),
    )
