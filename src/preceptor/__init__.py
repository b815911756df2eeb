"""Preceptor: trains neural networks, watches every layer, and says in plain words what happened."""
