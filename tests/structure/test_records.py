"""What a user may hold can be compared and hashed: a record with arrays is equal to itself alone."""

import copy
import dataclasses
import inspect
import pickle
import pkgutil
from importlib import import_module
from importlib.util import find_spec

import preceptor
from preceptor.job import make_settings, prepare


def records():
    """Every data class of the project."""
    found = {}
    for module in pkgutil.walk_packages(preceptor.__path__, "preceptor."):
        if "native." in module.name and module.name.rpartition(".")[2] in ("_native", "libdnnl"):
            continue  # compiled
        if module.name.endswith("__main__"):
            continue
        if module.name == "preceptor.live.server" and find_spec("starlette") is None:
            continue  # of an extra
        for name, each in vars(import_module(module.name)).items():
            if inspect.isclass(each) and dataclasses.is_dataclass(each) and each.__module__ == module.name:
                found[f"{module.name}.{name}"] = each
    return found


def test_no_record_compares_arrays():
    """NumPy's comparison gives an array, of which == would ask whether it is true."""
    wrong = [
        name
        for name, each in records().items()
        if "__eq__" in vars(each) and any("ndarray" in str(field.type) for field in dataclasses.fields(each))
    ]
    assert wrong == []


def test_what_a_user_holds_is_compared_copied_and_hashed():
    frame = {"a": list(range(60)), "y": [i % 2 for i in range(60)]}
    fitting = prepare(frame, make_settings({"target": "y", "epochs": 1, "hidden": 4, "engine": "reference"}))
    record = next(fitting.records())
    run = fitting.finish()
    seen = fitting.seen
    held = [fitting, record, run, fitting.settings, seen, seen.table, seen.parts, fitting.encoded]
    held += [fitting.data, fitting.config, run.network, run.loss, run.preprocessor, run.test["accuracy"]]
    for each in held:
        assert each == each
        assert isinstance(hash(each), int)
        assert each != "something else"
    for each in (run, fitting.settings, seen.table, seen.parts, *held[-4:]):
        again = pickle.loads(pickle.dumps(each))
        assert type(again) is type(each)
        assert repr(copy.deepcopy(each)) == repr(each) == repr(again)
