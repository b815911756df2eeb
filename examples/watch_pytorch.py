"""A training loop of PyTorch's under watch: three lines of it are `preceptor`'s.

The learning rate is far too high: the ReLUs die in the first steps, and nothing is learned from there on.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import preceptor as pr

EPOCHS, BATCH, RATE = 8, 32, 1.0

x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
torch.manual_seed(0)
rows = torch.randperm(len(x))
train, dev = rows[:1300], rows[1300:]

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
cross_entropy = nn.CrossEntropyLoss()


def judged(part):
    """The loss and the share of errors on some rows, outside training."""
    model.eval()
    with torch.no_grad():
        z = model(x[part])
        found = cross_entropy(z, y[part]), (z.argmax(1) != y[part]).float().mean()
    model.train()
    return found


counts = torch.bincount(y[train]).tolist()
watcher = pr.watch(model, optimizer, steps=EPOCHS * -(-len(train) // BATCH), class_counts=counts)

for _ in range(EPOCHS):
    for batch in train[torch.randperm(len(train))].split(BATCH):
        loss = cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watcher.step(loss)
    train_loss, train_error = judged(train)
    dev_loss, dev_error = judged(dev)
    watcher.epoch(train_loss, dev_loss, train_error, dev_error)

print(watcher.diagnose())
