"""The native CPU engine.

simplify (graph to graph) → fusion (what is computed together) → planner, lowering, program (steps and their words) →
memory (where arrays lie) → the compiled module, which runs the steps.
"""

from preceptor.engines.native.engine import Native, NativeLoop, unavailable

__all__ = ["Native", "NativeLoop", "unavailable"]
