"""Search: many trainings, one answer.

space → samplers → trials (pruners say which go on) → choice → the run that is kept.
"""
