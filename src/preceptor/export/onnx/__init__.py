"""Networks, and what stands before and behind them, as ONNX graphs."""
