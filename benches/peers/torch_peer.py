#!/usr/bin/env python3
"""The peer of the speed comparison: the presets of `bench` as a PyTorch user would write them.

    torch_peer.py train deotte-cnn --precision bf16 --layout channels-last --seconds 3
    torch_peer.py predict deotte-cnn --batch 256
    torch_peer.py accuracy simple-cnn --data DIR --epochs 3 --schedule cosine --seeds 20

`train` and `predict` print one JSON object with the images per second of wall time (median step).
`accuracy` trains on MNIST's 60,000 images and prints one JSON line per seed.
"""

import argparse
import gzip
import json
import math
import pathlib
import statistics
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

RMSPROP = ("mlp", "simple-cnn")


def conv_block(inputs, outputs, kernel, **more):
    return [nn.Conv2d(inputs, outputs, kernel, **more), nn.ReLU(), nn.BatchNorm2d(outputs)]


def deotte_cnn(is_symmetric=False):
    # Keras' "same" at stride 2 pads one row before and two after; torch's own padding of two on
    # either side saves torch a copy.
    def halve(channels):
        if is_symmetric:
            return conv_block(channels, channels, 5, stride=2, padding=2)
        return [nn.ZeroPad2d((1, 2, 1, 2)), *conv_block(channels, channels, 5, stride=2)]

    return nn.Sequential(
        *conv_block(1, 32, 3), *conv_block(32, 32, 3), *halve(32), nn.Dropout(0.4),
        *conv_block(32, 64, 3), *conv_block(64, 64, 3), *halve(64), nn.Dropout(0.4),
        *conv_block(64, 128, 4), nn.Flatten(), nn.Dropout(0.4), nn.Linear(128, 10),
    )


def augment_cnn():
    def conv(inputs, outputs, kernel):
        return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU()]

    return nn.Sequential(
        *conv(1, 64, 7), nn.MaxPool2d(2),
        *conv(64, 128, 3), *conv(128, 128, 3), nn.MaxPool2d(2),
        *conv(128, 256, 3), *conv(256, 256, 3), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2304, 128), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10),
    )


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def simple_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(576, 128), nn.ReLU(), nn.Linear(128, 10),
    )


def two_conv():
    return nn.Sequential(
        nn.Conv2d(1, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 512), nn.ReLU(), nn.Linear(512, 10),
    )


PRESETS = {
    "deotte-cnn": deotte_cnn, "deotte-cnn-symmetric": lambda: deotte_cnn(is_symmetric=True),
    "augment-cnn": augment_cnn, "mlp": mlp, "simple-cnn": simple_cnn, "two-conv": two_conv,
}


class Training:
    """One network with its optimizer."""

    def __init__(self, arguments):
        self.device = arguments.device
        self.is_bf16 = arguments.precision == "bf16"
        self.is_last = arguments.layout == "channels-last"
        self.network = PRESETS[arguments.network]().to(self.device)
        more = {}
        if arguments.convention == "keras":
            for module in self.network.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    nn.init.xavier_uniform_(module.weight)
                    nn.init.zeros_(module.bias)
                elif isinstance(module, nn.BatchNorm2d):
                    module.momentum, module.eps = 0.01, 1e-3
            if arguments.network not in RMSPROP:
                more["eps"] = 1e-7
        if self.is_last:
            self.network = self.network.to(memory_format=torch.channels_last)
        rule = torch.optim.RMSprop if arguments.network in RMSPROP else torch.optim.Adam
        if arguments.graph:
            more["capturable"] = True
        self.optimizer = rule(self.network.parameters(), lr=1e-3, **more)
        if arguments.compile:
            self.network = torch.compile(self.network)

    def place(self, images):
        images = images.to(self.device)
        return images.contiguous(memory_format=torch.channels_last) if self.is_last else images

    def step(self, images, labels):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.is_bf16):
            loss = functional.cross_entropy(self.network(images), labels)
        loss.backward()
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self, images):
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.is_bf16):
            return self.network(images)


def captured(work):
    """Records a step as a CUDA graph and returns what replays it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def speed(arguments):
    torch.manual_seed(0)
    training = Training(arguments)
    images = training.place(torch.rand(arguments.batch, 1, 28, 28))
    labels = torch.randint(0, 10, (arguments.batch,), device=arguments.device)
    if arguments.mode == "predict":
        training.network.eval()
        work = lambda: training.predict(images)
    else:
        work = lambda: training.step(images, labels)
    is_cuda = arguments.device.startswith("cuda")
    finish = torch.cuda.synchronize if is_cuda else lambda: None
    # Waiting for a GPU after every step would time the waiting.
    together = 20 if is_cuda else 1
    if arguments.graph:
        work = captured(work)
    for _ in range(5):
        work()
    finish()
    seconds, start = [], time.perf_counter()
    while time.perf_counter() - start < arguments.seconds:
        begin = time.perf_counter()
        for _ in range(together):
            work()
        finish()
        seconds.append((time.perf_counter() - begin) / together)
    print(json.dumps({
        "network": arguments.network, "mode": arguments.mode, "precision": arguments.precision,
        "layout": arguments.layout, "batch": arguments.batch, "torch": torch.__version__,
        "device": arguments.device,
        "form": "graph" if arguments.graph else "compiled" if arguments.compile else "eager",
        "steps": len(seconds) * together,
        "images_per_second": arguments.batch / statistics.median(seconds),
    }))


def read_idx(folder, name):
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            raw = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
            sides = numpy.frombuffer(raw, ">u4", raw[3], 4)
            return numpy.frombuffer(raw, numpy.uint8, offset=4 + 4 * raw[3]).reshape(sides)
    raise SystemExit(f"no {name} in {folder}")


def accuracy(arguments):
    folder = pathlib.Path(arguments.data)
    def split(name):
        images = read_idx(folder, f"{name}-images-idx3-ubyte")[:, None]
        labels = read_idx(folder, f"{name}-labels-idx1-ubyte").astype(numpy.int64)
        return torch.tensor(images / 255.0, dtype=torch.float32), torch.tensor(labels)
    (images, labels), (test_images, test_labels) = split("train"), split("t10k")
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        torch.manual_seed(seed)
        training = Training(arguments)
        steps = len(images) // arguments.batch
        start = time.perf_counter()
        for epoch in range(arguments.epochs):
            training.network.train()
            order = torch.randperm(len(images))
            for step in range(steps):
                if arguments.schedule == "cosine":
                    share = (epoch * steps + step) / (arguments.epochs * steps)
                    rate = 1e-3 * (1 + math.cos(math.pi * share)) / 2
                    for group in training.optimizer.param_groups:
                        group["lr"] = rate
                chosen = order[step * arguments.batch:(step + 1) * arguments.batch]
                training.step(training.place(images[chosen]), labels[chosen].to(training.device))
        seconds = time.perf_counter() - start
        training.network.eval()
        right = 0
        for at in range(0, len(test_images), 500):
            guesses = training.predict(training.place(test_images[at:at + 500])).argmax(1).cpu()
            right += (guesses == test_labels[at:at + 500]).sum().item()
        print(json.dumps({
            "network": arguments.network, "seed": seed, "epochs": arguments.epochs,
            "schedule": arguments.schedule, "precision": arguments.precision,
            "test_accuracy": right / len(test_images), "train_seconds": seconds,
        }), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["train", "predict", "accuracy"])
    parser.add_argument("network", choices=sorted(PRESETS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--layout", choices=["channels-first", "channels-last"],
                        default="channels-last")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--graph", action="store_true",
                        help="replay steps as a CUDA graph; needs --device cuda")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--data", help="folder with MNIST's four files")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--schedule", choices=["constant", "cosine"], default="constant")
    parser.add_argument("--convention", choices=["torch", "keras"], default="torch",
                        help="whose initial weights, batch-norm and Adam constants; "
                             "the presets of bench follow Keras")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.graph and not arguments.device.startswith("cuda"):
        parser.error("--graph needs --device cuda")
    torch.set_num_threads(arguments.threads)
    if arguments.mode == "accuracy" and not arguments.data:
        parser.error("accuracy needs --data")
    (accuracy if arguments.mode == "accuracy" else speed)(arguments)


if __name__ == "__main__":
    main()
