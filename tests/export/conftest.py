import numpy as np
import pytest


@pytest.fixture
def ran():
    """Returns `run(builder, outputs, **inputs)`: what onnxruntime makes of inputs. Outputs: (value, dtype, shape)."""
    pytest.importorskip("onnxruntime", reason="it runs what was written: pip install 'preceptor[onnx]'")
    from preceptor.export.onnx.proof import open_model

    def run(builder, outputs, **inputs):
        for number, (value, dtype, shape) in enumerate(outputs):
            builder.output(value, f"out {number}", dtype, shape)
        session = open_model(builder.finish({}).SerializeToString())
        return session.run([f"out {number}" for number in range(len(outputs))], inputs)

    return run


@pytest.fixture
def column():
    """Returns `of(values)`: texts or numbers as a session takes a column. Shapes: -> (row, 1)."""

    def of(*values):
        is_text = any(isinstance(each, str) for each in values)
        return np.array(values, object if is_text else np.float64)[:, None]

    return of
