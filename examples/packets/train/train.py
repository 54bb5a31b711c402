"""Trains a model and writes model/NAME.onnx.

    /usr/bin/python3 train/train.py doh|local FOLDER      (Debian's python3-torch, after prepare.mjs)

The weights (a running average of them) are those of the epoch with the smallest loss on the validation part. FOLDER holds
the training and the validation part only: the test part is out of reach here.
"""

import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MODEL = pathlib.Path(__file__).resolve().parent.parent / "model"

SEED = 1
SETTINGS = {
    "doh": dict(classes=4, hidden=64, epochs=45, rate=0.008, batch=48, most=10_000),
    "local": dict(classes=3, hidden=32, epochs=14, rate=0.01, batch=64, most=1_500),
}
LEAST = 30
DROP, SMOOTHING, WEIGHT_DECAY = 0.3, 0.03, 0.02
AVERAGE = 0.98
# Inputs are within ±RANGE (src/features.ts); the bound keeps the fixed-point arithmetic of the private inference comfortable.
RANGE = 2.0
MAX_ROW = 60.0


class Classifier(nn.Module):
    """packets [B, T, F] to logits [B, classes], by the mean of the states."""

    def __init__(self, features, hidden, classes):
        super().__init__()
        self.gru = nn.GRU(features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, packets):
        return self.head(self.gru(packets)[0].mean(1))

    def padded(self, packets, lengths):
        """The same for sequences of different lengths, with what training drops."""
        states = self.gru(packets)[0]
        inside = torch.arange(packets.shape[1])[None] < lengths[:, None]
        mean = (states * inside[..., None]).sum(1) / lengths[:, None]
        return self.head(F.dropout(mean, DROP, self.training))


def row_sums(model):
    """Per gate row: the largest |pre-activation| that inputs and states could cause, without biases."""
    gru = model.gru
    return gru.weight_ih_l0.abs().sum(1) * RANGE + gru.weight_hh_l0.abs().sum(1)


@torch.no_grad()
def bound(model):
    factor = (MAX_ROW / row_sums(model)).clamp(max=1)[:, None]
    model.gru.weight_ih_l0.mul_(factor)
    model.gru.weight_hh_l0.mul_(factor)


def epoch_order(labels, most):
    """All samples of each class, or `most` drawn anew where there are more: floods have far more windows than others."""
    chosen = [torch.nonzero(labels == c)[:, 0] for c in range(int(labels.max()) + 1)]
    joined = torch.cat([c[torch.randperm(len(c))[:most]] for c in chosen])
    return joined[torch.randperm(len(joined))]


def train(folder, settings):
    torch.manual_seed(SEED)
    load = lambda name: torch.from_numpy(np.load(folder / f"{name}.npy"))
    packets, lengths, labels = (load(f"train_{n}") for n in ("packets", "lengths", "labels"))
    held, held_lengths, truth = (load(f"validation_{n}") for n in ("packets", "lengths", "labels"))
    lengths, labels, held_lengths, truth = lengths.long(), labels.long(), held_lengths.long(), truth.long()
    model = Classifier(packets.shape[2], settings["hidden"], settings["classes"])
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["rate"], weight_decay=WEIGHT_DECAY)
    steps = len(epoch_order(labels, settings["most"]).split(settings["batch"]))
    total = settings["epochs"] * steps
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["rate"], total_steps=total, pct_start=0.2)
    weight = 1 / torch.bincount(truth).float().clamp(min=1)
    best, best_weights = float("inf"), None
    for epoch in range(settings["epochs"]):
        model.train()
        for index in epoch_order(labels, settings["most"]).split(settings["batch"]):
            # half of the sequences are cut short: users' flows and windows may be
            size = lengths[index]
            short = LEAST + (torch.rand(len(size)) * (size - LEAST + 1)).long()
            size = torch.where(torch.rand(len(size)) < 0.5, short, size)
            x = packets[index][:, : size.max()]
            loss = F.cross_entropy(model.padded(x, size), labels[index], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            bound(model)
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - AVERAGE)
        current = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict(average)
        model.eval()
        with torch.no_grad():
            logits = torch.cat([model.padded(x, n) for x, n in zip(held.split(256), held_lengths.split(256))])
        value = F.cross_entropy(logits, truth, weight=weight).item()
        right = (logits.argmax(1) == truth).float()
        recall = [f"{right[truth == c].mean():.3f}" for c in range(settings["classes"])]
        print(f"epoch {epoch}: validation loss {value:.4f}, accuracy {right.mean():.4f}, recall {' '.join(recall)}; {time.process_time():.0f} s", flush=True)
        if value < best:
            best, best_weights = value, {k: v.clone() for k, v in average.items()}
        model.load_state_dict(current)
    model.load_state_dict(best_weights)
    return model.eval()


def main():
    torch.set_num_threads(1)
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    model = train(folder, SETTINGS[name])
    sums = row_sums(model)
    print(f"row sums: max {sums.max():.1f}, mean {sums.mean():.1f}; head: {model.head.weight.abs().sum(1).max():.1f}")
    torch.onnx.export(
        model,
        torch.zeros(1, LEAST, model.gru.input_size),
        str(MODEL / f"{name}.onnx"),
        input_names=["packets"],
        output_names=["logits"],
        dynamic_axes={"packets": {0: "batch", 1: "time"}, "logits": {0: "batch"}},
        opset_version=13,
    )


if __name__ == "__main__":
    main()
