"""Trains the model of ECG5000 and writes model/ecg5000.onnx.

    /usr/bin/python3 train/ecg5000.py FOLDER            (Debian's python3-torch, after prepare.mjs ecg5000)
    /usr/bin/python3 train/ecg5000.py FOLDER --choose   trains on the training part alone, prints validation figures

Settings were chosen with --choose; the shipped weights come from training and validation part together, with the same
number of steps. The test part is out of reach here.
"""

import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "model"

SEED = 1
CLASSES, LENGTH, HIDDEN = 5, 140, 48
STEPS, BATCH = 700, 32
RATE, WEIGHT_DECAY, STATE_DROP = 0.006, 0.05, 0.3
# How often a class is drawn: its count to this power.
BALANCE = 0.85
# What beats of a class differ in: gain, offset, noise, and stretch and shift in time (samples).
GAIN, OFFSET, NOISE, STRETCH, SHIFT = 0.15, 0.1, 0.05, 0.05, 3.0
# Weight of the loss at earlier steps: of the second half, so that gradients have a shorter way.
EARLY = 0.2
AVERAGE = 0.99
# Bound of what a gate row can add up to: comfortable for the fixed-point arithmetic of the private inference.
MAX_ROW, RANGE = 60.0, 8.0


class Ecg5000(nn.Module):
    """ecg [B, T, 1] to logits [B, CLASSES]."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, ecg):
        _, last = self.gru(ecg)
        return self.head(last[-1])


def load(folder, part):
    beats, labels = (np.load(folder / f"{part}_{n}.npy") for n in ("beats", "labels"))
    return torch.from_numpy(beats), torch.from_numpy(labels)


def vary(x):
    """Beats [B, LENGTH], each changed in its own way."""
    n = len(x)
    uniform = lambda *shape: 2 * torch.rand(*shape) - 1
    time = torch.arange(LENGTH) * (1 + STRETCH * uniform(n, 1)) + SHIFT * uniform(n, 1)
    time = time.clamp(0, LENGTH - 1.001)
    at = time.floor().long()
    x = x.gather(1, at) + (x.gather(1, at + 1) - x.gather(1, at)) * (time - at)
    x = x * (1 + GAIN * uniform(n, 1)) + OFFSET * uniform(n, 1)
    return (x + NOISE * torch.randn(n, LENGTH)).clamp(-RANGE, RANGE)


def row_sums(model):
    """Per gate row: the largest |pre-activation| that inputs and states could cause, without biases."""
    return model.gru.weight_ih_l0.abs().sum(1) * RANGE + model.gru.weight_hh_l0.abs().sum(1)


@torch.no_grad()
def bound(model):
    factor = (MAX_ROW / row_sums(model)).clamp(max=1)[:, None]
    model.gru.weight_ih_l0.mul_(factor)
    model.gru.weight_hh_l0.mul_(factor)


@torch.no_grad()
def show(step, model, x, y):
    logits = model(x[..., None])
    counts = np.zeros((CLASSES, CLASSES), int)
    np.add.at(counts, (y.numpy(), logits.argmax(1).numpy()), 1)
    f1 = 2 * np.diag(counts) / (counts.sum(1) + counts.sum(0)).clip(1)
    print(
        f"step {step}: validation loss {F.cross_entropy(logits, y):.4f}, accuracy {np.trace(counts) / len(y):.4f}, "
        f"F1 {f1.round(3)}, confusion {counts.tolist()}",
        flush=True,
    )


def train(x, y, watch=None):
    torch.manual_seed(SEED)
    model = Ecg5000()
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.2)
    counts = torch.bincount(y, minlength=CLASSES).float()
    share = (counts**BALANCE / counts.clamp(min=1))[y]
    for step in range(1, STEPS + 1):
        index = torch.multinomial(share, BATCH, replacement=True)
        states = F.dropout(model.gru(vary(x[index])[..., None])[0], STATE_DROP)
        logits = model.head(states[:, LENGTH // 2 :: 10])
        early = F.cross_entropy(logits.flatten(0, 1), y[index].repeat_interleave(logits.shape[1]))
        loss = F.cross_entropy(model.head(states[:, -1]), y[index]) + EARLY * early
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bound(model)
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 1 - AVERAGE)
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
            if watch:
                current = {k: v.clone() for k, v in model.state_dict().items()}
                model.load_state_dict(average)
                show(step, model, *watch)
                model.load_state_dict(current)
    model.load_state_dict(average)
    return model.eval()


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    (x, y), validation = load(folder, "train"), load(folder, "validation")
    if "--choose" in sys.argv:
        train(x, y, validation)
        return
    model = train(torch.cat([x, validation[0]]), torch.cat([y, validation[1]]))
    sums = row_sums(model)
    print(f"row sums: max {sums.max():.1f}, mean {sums.mean():.1f}")
    print(f"biases: max {max(model.gru.bias_ih_l0.abs().max(), model.gru.bias_hh_l0.abs().max()):.2f}")
    torch.onnx.export(
        model,
        torch.zeros(1, LENGTH, 1),
        str(MODEL / "ecg5000.onnx"),
        input_names=["ecg"],
        output_names=["logits"],
        dynamic_axes={"ecg": {0: "batch", 1: "time"}, "logits": {0: "batch"}},
        opset_version=13,
    )


if __name__ == "__main__":
    main()
