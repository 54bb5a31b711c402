"""Trains the model of beats and writes model/beats.onnx.

    /usr/bin/python3 train/beats.py FOLDER            (Debian's python3-torch, after prepare.mjs mitbih)
    /usr/bin/python3 train/beats.py FOLDER --choose   trains without the validation patients, prints their figures

A network that sees a few patients learns how their beats look, and not what makes a beat unlike its neighbours. Against
this the training changes what patients differ in: it adds a smooth curve to all waveforms of a stretch, or leaves them out
(the differences from the usual beat stay), scales, shifts, and adds noise; and it mixes in generated hearts. Settings
were chosen with --choose; the shipped weights then come from training and validation patients together, with the same
number of epochs. Test patients are out of reach here.
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
CLASSES, POINTS = 5, 32
FEATURES = 2 * POINTS + 5
HIDDEN = 96
EPOCHS = 6
# Beats of a stretch; stretches of a batch from patients, and from generated hearts.
STRETCH, BATCH, GENERATED = 40, 24, 36
# Hearts from this one on are kept for --choose.
HELD = 170
RATE, WEIGHT_DECAY, STATE_DROP = 0.006, 0.05, 0.4
# Rare classes count more: N, S, V, F, Q.
WEIGHTS = [1, 5, 10, 4, 1]
# The curve's size, the share of stretches without waveforms, gain, noise, shift (in points).
CURVE, WAVE_DROP, GAIN, NOISE, SHIFT = 0.3, 0.5, 0.3, 0.05, 0.3
AVERAGE = 0.98
# Bound of what a gate row can add up to, which keeps the fixed-point arithmetic of the private inference comfortable.
MAX_ROW, RANGE = 120.0, 4.0


class Beats(nn.Module):
    """beats [B, T, FEATURES] to logits [B, T, CLASSES]."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(FEATURES, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, beats):
        return self.head(self.gru(beats)[0])


def load(folder, part):
    """Per record features [T, FEATURES] and labels [T]."""
    features, labels, records = (np.load(folder / f"{part}_{n}.npy") for n in ("features", "labels", "records"))
    return [
        (int(r), torch.from_numpy(features[records == r]), torch.from_numpy(labels[records == r]))
        for r in np.unique(records)
    ]


def stretches(recordings):
    """All records cut into stretches, at another place each time, in random order."""
    cut = []
    for _, x, y in recordings:
        start = int(torch.randint(len(y) % STRETCH + 1, ()))
        cut += [(x[i : i + STRETCH], y[i : i + STRETCH]) for i in range(start, len(y) - STRETCH + 1, STRETCH)]
    return [cut[i] for i in torch.randperm(len(cut))]


def moved(wave, by):
    """Waveforms moved by a part of a point."""
    left = torch.cat([wave[..., :1], wave[..., :-1]], -1)
    right = torch.cat([wave[..., 1:], wave[..., -1:]], -1)
    return wave + torch.where(by > 0, (left - wave) * by, (wave - right) * by)


def vary(x):
    """What patients differ in, drawn anew for each stretch."""
    n, length, _ = x.shape
    uniform = lambda *shape: 2 * torch.rand(*shape) - 1
    by = SHIFT * (uniform(n, 1, 1) + uniform(n, length, 1)) / 2
    wave, difference, rest = moved(x[..., :POINTS], by), moved(x[..., POINTS : 2 * POINTS], by), x[..., 2 * POINTS :]
    place, width = torch.rand(4, n, 1, 1) * POINTS, 1 + 4 * torch.rand(4, n, 1, 1)
    bumps = torch.exp(-0.5 * ((torch.arange(POINTS) - place) / width) ** 2)
    curve = (CURVE * torch.randn(4, n, 1, 1) * bumps).sum(0)
    gain = torch.exp(GAIN * uniform(n, 1, 1))
    wave = (wave * gain + curve) * (torch.rand(n, 1, 1) > WAVE_DROP)
    rest = torch.cat([rest[..., :4], rest[..., 4:] * gain], -1)
    x = torch.cat([wave, difference * gain, rest], -1)
    return (x + NOISE * torch.rand(n, 1, 1) * torch.randn_like(x)).clamp(-RANGE, RANGE)


def row_sums(model):
    """Per gate row: the largest |pre-activation| that inputs and states could cause, without biases."""
    return model.gru.weight_ih_l0.abs().sum(1) * RANGE + model.gru.weight_hh_l0.abs().sum(1)


@torch.no_grad()
def bound(model):
    factor = (MAX_ROW / row_sums(model)).clamp(max=1)[:, None]
    model.gru.weight_ih_l0.mul_(factor)
    model.gru.weight_hh_l0.mul_(factor)


@torch.no_grad()
def confusion(model, recordings):
    """Rows: the truth. Each recording is one stream, from a zero state."""
    counts = np.zeros((CLASSES, CLASSES), int)
    for _, x, y in recordings:
        np.add.at(counts, (y.numpy(), model(x[None])[0].argmax(1).numpy()), 1)
    return counts


def show(name, counts):
    right = np.diag(counts)
    sensitivity, predictivity = right / counts.sum(1).clip(1), right / counts.sum(0).clip(1)
    f1 = 2 * right / (counts.sum(1) + counts.sum(0)).clip(1)
    print(
        f"{name}: accuracy {right.sum() / counts.sum():.4f}, sensitivity {sensitivity.round(3)}, "
        f"predictivity {predictivity.round(3)}, F1 {f1.round(3)}, macro of N S V {f1[:3].mean():.3f}",
        flush=True,
    )


def train(recordings, generated, watch):
    torch.manual_seed(SEED)
    model = Beats()
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    steps = len(stretches(recordings)) // BATCH - 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps, pct_start=0.1)
    weights = torch.tensor(WEIGHTS, dtype=torch.float32)
    for epoch in range(EPOCHS):
        real, made = stretches(recordings), stretches(generated)
        for step in range(steps):
            batch = real[step * BATCH : (step + 1) * BATCH] + [
                made[(step * GENERATED + i) % len(made)] for i in range(GENERATED)
            ]
            x, y = (torch.stack(part) for part in zip(*batch))
            states = F.dropout(model.gru(vary(x))[0], STATE_DROP)
            loss = F.cross_entropy(model.head(states).flatten(0, 1), y.flatten(), weight=weights)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            bound(model)
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - AVERAGE)
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)
        if epoch % 4 == 3 or epoch == EPOCHS - 1:
            current = {k: v.clone() for k, v in model.state_dict().items()}
            model.load_state_dict(average)
            for name, part in watch.items():
                show(name, confusion(model, part))
            model.load_state_dict(current)
    model.load_state_dict(average)
    return model.eval()


def main():
    torch.set_num_threads(1)
    folder, choose = pathlib.Path(sys.argv[1]), "--choose" in sys.argv
    recordings, validation, generated = (load(folder, part) for part in ("train", "validation", "generated"))
    if choose:
        watch = {str(r[0]): [r] for r in validation} | {"validation": validation, "generated": generated[HELD:]}
        model = train(recordings, generated[:HELD], watch)
        print(confusion(model, validation))
        print(confusion(model, generated[HELD:]))
        return
    model = train(recordings + validation, generated, {})
    sums = row_sums(model)
    print(f"row sums: max {sums.max():.1f}, mean {sums.mean():.1f}")
    print(f"biases: max {max(model.gru.bias_ih_l0.abs().max(), model.gru.bias_hh_l0.abs().max()):.2f}")
    print(f"head: max row sum {model.head.weight.abs().sum(1).max():.2f}")
    torch.onnx.export(
        model,
        torch.zeros(1, 3, FEATURES),
        str(MODEL / "beats.onnx"),
        input_names=["beats"],
        output_names=["logits"],
        dynamic_axes={"beats": {0: "batch", 1: "time"}, "logits": {0: "batch", 1: "time"}},
        opset_version=13,
    )


if __name__ == "__main__":
    main()
