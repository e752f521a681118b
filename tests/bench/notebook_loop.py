"""A pair as notebooks have it: torchvision's data set, a DataLoader, one network after the other.

Prints one JSON object: seconds for training and validation of both networks, and their test accuracies.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, random_split

from regtui.data.shim import import_torchvision


def network(rate: float) -> nn.Sequential:
    """784-256-128-10 with dropout after the first hidden layer."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Dropout(rate),
        nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def convolutional(rate: float) -> nn.Sequential:
    """The network of the `cnn` preset, with dropout after its hidden layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1568, 128), nn.ReLU(), nn.Dropout(rate), nn.Linear(128, 10),
    )  # fmt: skip


def main(root: str, epochs: int, kind: str = "mlp") -> None:
    """Train the pair on MNIST in torchvision's layout below `root`; `kind` is mlp or cnn."""
    vision = import_torchvision()
    transforms = vision.transforms
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    whole, test = (vision.datasets.MNIST(root, train=train, transform=transform) for train in (True, False))
    train, val = random_split(whole, [48_000, 12_000])
    batches = DataLoader(train, batch_size=64, shuffle=True)
    val_batches, test_batches = DataLoader(val, batch_size=64), DataLoader(test, batch_size=64)
    criterion = nn.CrossEntropyLoss()
    seconds, accuracies = 0.0, {}
    for name, rate in (("baseline", 0.0), ("regularized", 0.5)):
        model = network(rate) if kind == "mlp" else convolutional(rate)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
        began = time.perf_counter()
        for _ in range(epochs):
            model.train()
            for x, y in batches:
                optimizer.zero_grad()
                criterion(model(x), y).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                sum(criterion(model(x), y).item() for x, y in val_batches)
        seconds += time.perf_counter() - began
        with torch.no_grad():
            accuracies[name] = sum((model(x).argmax(1) == y).sum().item() for x, y in test_batches) / 10_000
    print(json.dumps({"seconds": seconds, "test_accuracy": accuracies}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
