"""ONNX files as networks of ours: read, worked through operation by operation, put together."""
