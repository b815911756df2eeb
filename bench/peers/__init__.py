"""One file per peer, each written as its own users would at its best.

Each module has `build(task, variant) -> (train, loss)`: `train(epochs)` trains and returns when the work is done,
`loss()` is the mean loss over all rows at the present weights.
"""
