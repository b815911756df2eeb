"""Trained networks as files that others read."""
