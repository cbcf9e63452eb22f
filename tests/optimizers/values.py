"""Weights after every step of the optimizers of torch and Keras, for the tests of the engine's.

    python3 tests/optimizers/values.py > tests/optimizers/values.json   (torch 2.15.0, keras 3.15.1)

Two weights are trained in double precision on given gradients: four epochs of three steps.
"""
import json, math, os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)

START = [0.5, -1.25]
EPOCHS, STEPS_PER_EPOCH = 4, 3
STEPS = EPOCHS * STEPS_PER_EPOCH
# A gradient that changes sign and size; the second weight's is small, so that epsilon counts.
GRADIENTS = [[math.sin(1.7 * t + 0.3), 1e-6 * math.cos(2.9 * t)] for t in range(STEPS)]
RATE = 0.05
SCHEDULES = {
    "0.05": ("constant",),
    '{ initial = 0.05, schedule = "exponential", factor = 0.7 }': ("exponential", 0.7),
    '{ initial = 0.05, schedule = "step", factor = 0.5, every = 2 }': ("step", 0.5, 2),
    '{ initial = 0.05, schedule = "cosine", last = 0.01 }': ("cosine", 0.01),
    "{ initial = 0.05, warmup-epochs = 2 }": ("warmup", 2),
}


def torch_schedule(optimizer, kind, *how):
    scheduler = torch.optim.lr_scheduler
    match kind:
        case "exponential":
            return scheduler.ExponentialLR(optimizer, how[0]), STEPS_PER_EPOCH
        case "step":
            return scheduler.StepLR(optimizer, how[1], how[0]), STEPS_PER_EPOCH
        case "cosine":
            return scheduler.CosineAnnealingLR(optimizer, STEPS, how[0]), 1
        case "warmup":
            steps = how[0] * STEPS_PER_EPOCH
            return scheduler.LinearLR(optimizer, 1 / steps, 1.0, steps - 1), 1
    return None, 1


def keras_schedule(kind, *how):
    schedules = keras.optimizers.schedules
    match kind:
        case "exponential":
            return schedules.ExponentialDecay(RATE, STEPS_PER_EPOCH, how[0], staircase=True)
        case "step":
            return schedules.ExponentialDecay(RATE, how[1] * STEPS_PER_EPOCH, how[0], staircase=True)
        case "cosine":
            return schedules.CosineDecay(RATE, STEPS, alpha=how[0] / RATE)
        case "warmup":
            # Keras' own warm-up begins at 0.
            steps = how[0] * STEPS_PER_EPOCH
            ends = list(range(steps - 1))
            return schedules.PiecewiseConstantDecay(ends, [RATE * (t + 1) / steps for t in range(steps)])
    return RATE


def by_torch(make, schedule):
    weights = torch.tensor(START, requires_grad=True)
    optimizer = make([weights])
    scheduler, every = torch_schedule(optimizer, *schedule)
    path = []
    for step, gradient in enumerate(GRADIENTS):
        weights.grad = torch.tensor(gradient)
        optimizer.step()
        if scheduler and (step + 1) % every == 0:
            scheduler.step()
        path.append(weights.tolist())
    return path


def by_keras(make, schedule):
    weights = keras.Variable(START, dtype="float64")
    optimizer = make(keras_schedule(*schedule))
    path = []
    for gradient in GRADIENTS:
        optimizer.apply([torch.tensor(gradient)], [weights])
        path.append(keras.ops.convert_to_numpy(weights.value).tolist())
    return path


def torch_cases():
    o = torch.optim
    return [
        ('{ name = "sgd" }', lambda w: o.SGD(w, RATE)),
        ('{ name = "sgd", momentum = 0.9 }', lambda w: o.SGD(w, RATE, momentum=0.9)),
        ('{ name = "sgd", momentum = 0.9, nesterov = true, weight-decay = 0.1 }',
         lambda w: o.SGD(w, RATE, momentum=0.9, nesterov=True, weight_decay=0.1)),
        ('{ name = "adam" }', lambda w: o.Adam(w, RATE)),
        ('{ name = "adam", beta1 = 0.8, beta2 = 0.95, epsilon = 1e-4, weight-decay = 0.1 }',
         lambda w: o.Adam(w, RATE, (0.8, 0.95), 1e-4, weight_decay=0.1)),
        ('{ name = "adamw" }', lambda w: o.AdamW(w, RATE)),
        ('{ name = "adamw", epsilon = 1e-4, weight-decay = 0.2 }',
         lambda w: o.AdamW(w, RATE, eps=1e-4, weight_decay=0.2)),
        ('{ name = "rmsprop" }', lambda w: o.RMSprop(w, RATE)),
        ('{ name = "rmsprop", alpha = 0.9, epsilon = 1e-4, momentum = 0.9, weight-decay = 0.1 }',
         lambda w: o.RMSprop(w, RATE, alpha=0.9, eps=1e-4, momentum=0.9, weight_decay=0.1)),
    ]


def keras_cases():
    o = keras.optimizers
    return [
        ('{ name = "sgd" }', lambda r: o.SGD(r)),
        ('{ name = "sgd", momentum = 0.9 }', lambda r: o.SGD(r, momentum=0.9)),
        ('{ name = "sgd", momentum = 0.9, nesterov = true, weight-decay = 0.1 }',
         lambda r: o.SGD(r, momentum=0.9, nesterov=True, weight_decay=0.1)),
        ('{ name = "adam" }', lambda r: o.Adam(r)),
        ('{ name = "adam", beta1 = 0.8, beta2 = 0.95, epsilon = 1e-4, weight-decay = 0.1 }',
         lambda r: o.Adam(r, 0.8, 0.95, 1e-4, weight_decay=0.1)),
        ('{ name = "adamw" }', lambda r: o.AdamW(r)),
        ('{ name = "adamw", epsilon = 1e-4, weight-decay = 0.2 }',
         lambda r: o.AdamW(r, epsilon=1e-4, weight_decay=0.2)),
        ('{ name = "rmsprop" }', lambda r: o.RMSprop(r)),
        ('{ name = "rmsprop", alpha = 0.95, epsilon = 1e-4, momentum = 0.9, weight-decay = 0.1 }',
         lambda r: o.RMSprop(r, 0.95, 0.9, 1e-4, weight_decay=0.1)),
    ]


cases = [
    {"convention": convention, "optimizer": settings, "learning-rate": rate, "weights": follow(make, schedule)}
    for convention, known, follow in [("torch", torch_cases(), by_torch), ("keras", keras_cases(), by_keras)]
    for settings, make in known
    for rate, schedule in SCHEDULES.items()
]
head = {"torch": torch.__version__, "keras": keras.__version__, "start": START, "gradients": GRADIENTS,
        "epochs": EPOCHS, "steps-per-epoch": STEPS_PER_EPOCH}
lines = ",\n".join(json.dumps(case) for case in cases)
print(json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}")
