"""Trains the model of sentences and writes model/sst2.onnx.

    /usr/bin/python3 train/sst2.py FOLDER [--choose]      (Debian's python3-torch, after prepare.mjs)

Words begin as a linear map, which is learnt, of their GloVe vectors; words of the training part add something of their own.
With --choose the model learns from the training part, figures are of the validation part and nothing is written;
without, it learns from both, for as many epochs. FOLDER has nothing of the test part.
"""

import copy
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from common import AVERAGE, BATCH, MAX_ROW, MODEL, PAD, UNKNOWN, export, shorter

SEED = 1
EMBEDDING, HIDDEN = 48, 48
EPOCHS = 7
RATE, OWN_RATE = 0.005, 0.0015
DECAY, OWN_DECAY = 0.02, 0.3
WORD_DROP, CHANNEL_DROP, STATE_DROP, NOISE = 0.05, 0.2, 0.4, 0.1
# Parts of words that the vectors know only as words.
WHOLE = {"n't": "not", "'s": "is", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am", "a": "an", "i": "me"}


class Classifier(nn.Module):
    """tokens [B, T] to logits [B, 2]: from the largest value of each state over time, and from the sum of the words alone."""

    def __init__(self, vectors):
        super().__init__()
        self.register_buffer("vectors", vectors)
        self.map = nn.Linear(vectors.shape[1], EMBEDDING, bias=False)
        self.own = nn.Embedding(len(vectors), EMBEDDING, padding_idx=PAD)
        self.gru = nn.GRU(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * HIDDEN, 2)
        self.direct = nn.Linear(EMBEDDING, 2, bias=False)
        nn.init.normal_(self.map.weight, std=0.3 / vectors.shape[1] ** 0.5)
        nn.init.zeros_(self.own.weight)
        self.bound()

    @torch.no_grad()
    def bound(self):
        """No bias of the candidates: a state of 0 stays 0 over the padding in front."""
        for name, bias in self.gru.named_parameters():
            if name.startswith("bias"):
                bias[2 * HIDDEN :] = 0

    def forward(self, tokens):
        if self.training:
            dropped = (torch.rand(tokens.shape) < WORD_DROP) & (tokens != PAD)
            tokens = tokens.masked_fill(dropped, UNKNOWN)
        words = self.map(self.vectors[tokens]) + self.own(tokens)
        if self.training:
            words = words * (torch.rand(len(tokens), 1, EMBEDDING) > CHANNEL_DROP) / (1 - CHANNEL_DROP)
            words = words + NOISE * torch.randn_like(words) * (tokens != PAD)[..., None]
        states = self.gru(words)[0].amax(1)
        return self.head(F.dropout(states, STATE_DROP, self.training)) + self.direct(words.sum(1))


class Shipped(nn.Module):
    """The same as one table in half precision, each channel of it within 1."""

    def __init__(self, model):
        super().__init__()
        with torch.no_grad():
            table = model.map(model.vectors) + model.own.weight
            scale = table.abs().max(0).values
            self.embedding = nn.Embedding.from_pretrained((table / scale).half())
            for name, weight in model.gru.named_parameters():
                if name.startswith("weight_ih"):
                    weight.mul_(scale)
            model.direct.weight.mul_(scale)
        self.gru, self.head, self.direct = model.gru, model.head, model.direct

    def forward(self, tokens):
        words = self.embedding(tokens).float()
        return self.head(self.gru(words)[0].amax(1)) + self.direct(words.sum(1))

    def row_sums(self):
        """Of the gates: the largest |pre-activation| that inputs and states could cause, without biases."""
        weights = dict(self.gru.named_parameters())
        sums = lambda end: weights[f"weight_ih_l0{end}"].abs().sum(1) + weights[f"weight_hh_l0{end}"].abs().sum(1)
        return torch.cat([sums(""), sums("_reverse")])


@torch.no_grad()
def figures(model, tokens, labels):
    logits = model.eval()(tokens)
    loss, right = F.cross_entropy(logits, labels), (logits.argmax(1) == labels).float().mean()
    return f"validation loss {loss:.4f}, accuracy {right:.4f}"


def train(model, tokens, labels, report):
    """A model whose weights are a running average of those of `model` in training; report(epoch, average) may look at it."""
    own = [model.own.weight]
    others = [p for name, p in model.named_parameters() if name != "own.weight"]
    groups = [dict(params=others, weight_decay=DECAY), dict(params=own, weight_decay=OWN_DECAY)]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    count = -(-len(tokens) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [RATE, OWN_RATE], total_steps=EPOCHS * count, pct_start=0.1)
    average = copy.deepcopy(model)
    for epoch in range(EPOCHS):
        model.train()
        # batches of like length: less padding to compute
        order = torch.randperm(len(tokens))
        order = order[torch.sort((tokens[order] != PAD).sum(1) // 4, stable=True).indices]
        batches = order.split(BATCH)
        for number in torch.randperm(count).tolist():
            index = batches[number]
            loss = F.cross_entropy(model(shorter(tokens[index])), labels[index])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            model.bound()
            with torch.no_grad():
                for mean, p in zip(average.parameters(), model.parameters()):
                    mean.lerp_(p, 1 - AVERAGE)
        report(epoch, average)
    return average


def word_vectors(folder, words):
    vectors = torch.from_numpy(np.load(folder / "vectors.npy"))
    place = {word: i for i, word in enumerate(words)}
    for part, whole in WHOLE.items():
        vectors[place[part]] = vectors[place[whole]]
    known = vectors.abs().sum(1) > 0
    vectors = (vectors - vectors[known].mean(0)) / vectors[known].std()
    return vectors * known[:, None]


def main():
    torch.set_num_threads(1)
    folder, choose = pathlib.Path(sys.argv[1]), "--choose" in sys.argv
    vocabulary = json.loads((MODEL / "sst2.json").read_text())
    vectors = word_vectors(folder, vocabulary["words"])
    load = lambda name: torch.from_numpy(np.load(folder / f"{name}.npy")).long()
    held, truth = load("validation_tokens"), load("validation_labels")
    tokens, labels = load("train_tokens"), load("train_labels")
    if not choose:
        tokens, labels = torch.cat([tokens, held]), torch.cat([labels, truth])

    def report(epoch, model):
        said = figures(model, held, truth) if choose else "done"
        print(f"epoch {epoch}: {said}; {time.process_time():.0f} s", flush=True)

    torch.manual_seed(SEED)
    model = train(Classifier(vectors), tokens, labels, report)
    shipped = Shipped(model).eval()
    if choose:
        print(f"as it would be shipped: {figures(shipped, held, truth)}")
    sums = shipped.row_sums()
    print(f"row sums: max {sums.max():.1f}, mean {sums.mean():.1f}")
    if sums.max() > MAX_ROW:
        raise SystemExit(f"a row sum is above {MAX_ROW}: lower the rate or raise the decay")
    if not choose:
        export(shipped, vocabulary["length"], "sst2")


if __name__ == "__main__":
    main()
