"""What MLflow gets where it loads a run; MLflow itself is not needed for it."""

import numpy as np
import pandas

from preceptor import fit
from preceptor.writers import pyfunc
from preceptor.writers.telling import files_of


def test_a_folder_of_a_run_predicts_as_the_run(tmp_path):
    run = fit("iris", out=tmp_path / "run", epochs=2, hidden=(4,), engine="reference")
    frame = pandas.DataFrame({column.name: [5.0, 6.5, 4.25] for column in run.preprocessor.columns})
    model = pyfunc._load_pyfunc(str(tmp_path / "run"))
    assert model.predict(frame).tolist() == run.predict(frame).tolist()


def test_of_pictures_it_takes_their_paths(tmp_path):
    from PIL import Image

    rng, paths = np.random.default_rng(0), []
    for number, name in enumerate(("red", "green", "blue")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for each in range(12):
            pixels = np.clip(200 * np.eye(3)[number] + rng.normal(0, 25, (8, 8, 3)), 0, 255).astype(np.uint8)
            paths.append(str(tmp_path / "data" / name / f"{each}.png"))
            Image.fromarray(pixels).save(paths[-1])
    own = {"engine": "reference", "epochs": 3, "batch_size": 8, "model": "mlp", "hidden": (16,)}
    run = fit(tmp_path / "data", out=tmp_path / "run", **own)
    files = files_of(run)
    assert (files.is_of_pictures, files.columns, files.targets) == (True, None, [("class", "string")])
    model = pyfunc._load_pyfunc(str(tmp_path / "run"))
    some = [paths[each] for each in (30, 2, 17)]
    assert model.predict(pandas.DataFrame({"picture": some})).tolist() == [run.predict(each)[0] for each in some]
    assert model.predict(some[0]).tolist() == run.predict(some[0]).tolist()
