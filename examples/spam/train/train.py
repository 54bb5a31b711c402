"""Trains the model and writes model/spam.onnx.

    /usr/bin/python3 train/train.py FOLDER      (Debian's python3-torch, after prepare.mjs)

First the network learns to predict the next word of the training mails, which gives words useful
embeddings although the labels are few; then it learns to classify. The weights (a running
average of them) are those of the seed and epoch with the smallest loss on the validation part. FOLDER
holds the training and the validation part only: the test part is out of reach here.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "model"

SEEDS = [1, 2, 3]
THREADS = 2
EMBEDDING = 48
HIDDEN = 64
BATCH = 64
PRETRAIN_EPOCHS = 10
EPOCHS = 20
RATE = 0.006
WEIGHT_DECAY = 0.02
# Share of words replaced by "unknown", of embedding channels and of state units dropped.
WORD_DROP, CHANNEL_DROP, STATE_DROP = 0.2, 0.4, 0.3
# Share of mails shown with a later window of their text instead of its start.
LATER, LATER_PRETRAIN = 0.6, 0.8
AVERAGE = 0.99
# Bounds that keep the fixed-point arithmetic of the private inference comfortable.
MAX_EMBEDDING = 1.0
MAX_ROW = 60.0
PAD, UNKNOWN = 0, 1


class Spam(nn.Module):
    """tokens [B, T] to logits [B, 2]."""

    def __init__(self, words):
        super().__init__()
        self.embedding = nn.Embedding(words, EMBEDDING, padding_idx=PAD)
        self.gru = nn.GRU(EMBEDDING, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, 2)
        nn.init.normal_(self.embedding.weight, std=0.1)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0

    def forward(self, tokens):
        _, last = self.gru(self.embedding(tokens))
        return self.head(last[-1])


class Trainer(nn.Module):
    """The model with what only training needs: dropout and the next-word head."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.next = nn.Linear(HIDDEN, EMBEDDING)

    def states(self, tokens):
        """tokens [B, T] to states [B, T, H]."""
        keep = (torch.rand(len(tokens), 1, EMBEDDING) > CHANNEL_DROP) / (1 - CHANNEL_DROP)
        dropped = (torch.rand(tokens.shape) < WORD_DROP) & (tokens != PAD)
        return self.model.gru(self.model.embedding(tokens.masked_fill(dropped, UNKNOWN)) * keep)[0]

    def classify(self, tokens, labels):
        last = F.dropout(self.states(tokens)[:, -1], STATE_DROP)
        return F.cross_entropy(self.model.head(last), labels)

    def predict(self, tokens):
        """Loss of the next word, among the words that occur in the batch (far cheaper than all)."""
        targets = tokens[:, 1:].reshape(-1)
        known = targets > UNKNOWN
        words, targets = torch.unique(targets[known], return_inverse=True)
        states = F.dropout(self.states(tokens)[:, :-1].reshape(-1, HIDDEN)[known], STATE_DROP)
        return F.cross_entropy(self.next(states) @ self.model.embedding.weight[words].t(), targets)


def load(folder, name):
    return torch.from_numpy(np.load(folder / f"{name}.npy")).long()


def windows(long, starts, index, length, share):
    """Inputs [B, T] for the mails in `index`: their start, or the subject and a later window."""
    out = torch.full((len(index), length), PAD)
    for row, i in enumerate(index.tolist()):
        mail = long[i]
        size = int((mail != PAD).sum())
        tokens = mail[: min(size, length)]
        if size > length and torch.rand(()) < share:
            subject = min(int(starts[i]), length // 2)
            room = length - subject
            begin = int(torch.randint(int(starts[i]), max(size - room // 2, int(starts[i]) + 1), ()))
            tokens = torch.cat([mail[:subject], mail[begin : min(size, begin + room)]])
        out[row, length - len(tokens) :] = tokens
    return out


def row_sums(model):
    """Per gate row: the largest |pre-activation| that inputs and states could cause, without biases."""
    gru = model.gru
    largest = model.embedding.weight.abs().max()
    return gru.weight_ih_l0.abs().sum(1) * largest + gru.weight_hh_l0.abs().sum(1)


@torch.no_grad()
def bound(model):
    model.embedding.weight.clamp_(-MAX_EMBEDDING, MAX_EMBEDDING)
    factor = (MAX_ROW / row_sums(model)).clamp(max=1)[:, None]
    model.gru.weight_ih_l0.mul_(factor)
    model.gru.weight_hh_l0.mul_(factor)


def train(folder, words, seed):
    """Returns the smallest validation loss and the model that has it."""
    torch.manual_seed(seed)
    long, starts, labels = (load(folder, n) for n in ("train_long", "train_starts", "train_labels"))
    tokens, truth = load(folder, "validation_tokens"), load(folder, "validation_labels")
    model = Spam(words)
    trainer = Trainer(model)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(trainer.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    total = (PRETRAIN_EPOCHS + EPOCHS) * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=total, pct_start=0.1)
    best, best_weights = float("inf"), None
    for epoch in range(PRETRAIN_EPOCHS + EPOCHS):
        pretrain = epoch < PRETRAIN_EPOCHS
        for index in torch.randperm(len(labels)).split(BATCH):
            x = windows(long, starts, index, tokens.shape[1], LATER_PRETRAIN if pretrain else LATER)
            loss = trainer.predict(x) if pretrain else trainer.classify(x, labels[index])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            bound(model)
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - AVERAGE)
        if pretrain:
            print(f"epoch {epoch}: next word {loss.item():.3f}", flush=True)
            continue
        current = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict(average)
        with torch.no_grad():
            logits = model(tokens)
        value = F.cross_entropy(logits, truth).item()
        accuracy = (logits.argmax(1) == truth).float().mean().item()
        print(f"epoch {epoch}: validation loss {value:.4f}, accuracy {accuracy:.4f}", flush=True)
        if value < best:
            best, best_weights = value, {k: v.clone() for k, v in average.items()}
        model.load_state_dict(current)
    model.load_state_dict(best_weights)
    print(f"seed {seed}: validation loss {best:.4f}", flush=True)
    return best, model.eval()


def main():
    torch.set_num_threads(THREADS)
    vocabulary = json.loads((MODEL / "vocabulary.json").read_text())
    folder, words = pathlib.Path(sys.argv[1]), len(vocabulary["words"])
    _, model = min((train(folder, words, seed) for seed in SEEDS), key=lambda result: result[0])
    sums = row_sums(model)
    print(f"row sums: max {sums.max():.1f}, mean {sums.mean():.1f}")
    print(f"biases: max {max(model.gru.bias_ih_l0.abs().max(), model.gru.bias_hh_l0.abs().max()):.2f}")
    print(f"embeddings: max {model.embedding.weight.abs().max():.3f}")
    print(f"head: max row sum {model.head.weight.abs().sum(1).max():.2f}")
    torch.onnx.export(
        model,
        torch.zeros(1, vocabulary["length"], dtype=torch.long),
        str(MODEL / "spam.onnx"),
        input_names=["tokens"],
        output_names=["logits"],
        dynamic_axes={"tokens": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=13,
    )


if __name__ == "__main__":
    main()
