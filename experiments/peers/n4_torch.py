"""Trains the preset `simple-cnn` on MNIST by torch, as the experiment of its trial says, on the splits of `bench`."""

import gzip
import json
import os
import pathlib
import struct
import time

import numpy
import torch
from torch import nn

TRIAL = json.loads(pathlib.Path(os.environ["BENCH_TRIAL"]).read_text())
NAMES = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]


def idx(name):
    folder = pathlib.Path(os.environ["DATA"]) / "mnist"
    with gzip.open(folder / f"{name}-ubyte.gz") as file:
        bytes_ = file.read()
    dimensions = bytes_[3]
    shape = struct.unpack(f">{dimensions}I", bytes_[4 : 4 + 4 * dimensions])
    return numpy.frombuffer(bytes_, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


def network():
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(576, 128), nn.ReLU(), nn.Linear(128, 10),
    )
    for name, values in model.named_parameters():
        nn.init.xavier_uniform_(values) if name.endswith("weight") else nn.init.zeros_(values)
    return model


def main():
    torch.manual_seed(TRIAL["seed"])
    torch.set_num_threads(1)
    images = numpy.concatenate([idx(NAMES[0]), idx(NAMES[2])])
    labels = numpy.concatenate([idx(NAMES[1]), idx(NAMES[3])])
    images = torch.from_numpy(images[:, None].astype("float32") / 255)
    labels = torch.from_numpy(labels.astype("int64"))
    splits = {name: torch.tensor(rows) for name, rows in json.loads(pathlib.Path(TRIAL["splits"]).read_text()).items()}
    train = TRIAL["settings"]["train"]
    model = network()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=train["learning-rate"]["initial"])
    began = time.perf_counter()
    seen = 0
    for _ in range(train["epochs"]):
        model.train()
        order = splits["train"][torch.randperm(len(splits["train"]))]
        for batch in order.split(train["batch-size"]):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(batch)
    seconds = time.perf_counter() - began
    model.eval()
    with torch.no_grad():
        test, validation = (
            torch.cat([model(images[some]).softmax(1) for some in splits[name].split(500)])
            for name in ("test", "validation")
        )
    accuracy = (test.argmax(1) == labels[splits["test"]]).double().mean().item()
    folder = pathlib.Path(TRIAL["output"])
    numpy.save(folder / "predictions.npy", test.double().numpy())
    numpy.save(folder / "predictions-validation.npy", validation.double().numpy())
    speed = seen / seconds
    print(json.dumps({"final": {"test-accuracy": accuracy, "train-seconds": seconds, "images-per-second": speed}}))


if __name__ == "__main__":
    main()
