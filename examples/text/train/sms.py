"""Trains the model of text messages and writes model/sms.onnx.

    /usr/bin/python3 train/sms.py FOLDER      (Debian's python3-torch, after prepare.mjs)

First the network learns to predict the next word of the training texts, then to classify. One channel of the embeddings is
the word's log-count ratio in the training part (naive Bayes); while training, a text sees the ratios of the other folds of
that part, for its own would tell its label. The weights (a running average of them) are those of
the epoch with the smallest loss on the validation part. FOLDER holds the training and the validation part only: the test part
is out of reach here.
"""

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
SETTINGS = dict(embedding=32, hidden=64, pretrain=4, epochs=12, rate=0.006, word_drop=0.15, drop=0.4, decay=0.02)
FOLDS = 10
# Keeps the fixed-point arithmetic of the private inference comfortable, as MAX_ROW does.
MAX_EMBEDDING = 1.0


class Classifier(nn.Module):
    """tokens [B, T] to logits [B, 2]: from the last state, and from the sum of the words alone."""

    def __init__(self, words, settings):
        super().__init__()
        self.embedding = nn.Embedding(words, settings["embedding"], padding_idx=PAD)
        self.gru = nn.GRU(settings["embedding"], settings["hidden"], batch_first=True)
        self.head = nn.Linear(settings["hidden"], 2)
        self.direct = nn.Linear(settings["embedding"], 2, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.1)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0

    def forward(self, tokens):
        words = self.embedding(tokens)
        return self.head(self.gru(words)[0][:, -1]) + self.direct(words.sum(1))


class Trainer(nn.Module):
    """The model with what only training needs: dropout and the next-word head."""

    def __init__(self, model, settings):
        super().__init__()
        self.model, self.settings = model, settings
        self.next = nn.Linear(settings["hidden"], settings["embedding"])
        self.ratios = None  # of each fold's complement, [FOLDS, words]

    def words(self, tokens, folds):
        """tokens [B, T], folds [B] to embeddings [B, T, E], some of the words and channels dropped."""
        drop = self.settings["drop"]
        keep = (torch.rand(len(tokens), 1, self.settings["embedding"]) > drop) / (1 - drop)
        dropped = (torch.rand(tokens.shape) < self.settings["word_drop"]) & (tokens != PAD)
        tokens = tokens.masked_fill(dropped, UNKNOWN)
        words = self.model.embedding(tokens) * keep
        return torch.cat([self.ratios[folds[:, None], tokens][..., None], words[..., 1:]], 2)

    def classify(self, tokens, labels, folds):
        words = self.words(tokens, folds)
        last = F.dropout(self.model.gru(words)[0][:, -1], self.settings["drop"])
        return F.cross_entropy(self.model.head(last) + self.model.direct(words.sum(1)), labels)

    def predict(self, tokens, folds):
        """Loss of the next word, among the words that occur in the batch (far cheaper than all)."""
        targets = tokens[:, 1:].reshape(-1)
        known = targets > UNKNOWN
        words, targets = torch.unique(targets[known], return_inverse=True)
        states = F.dropout(self.model.gru(self.words(tokens, folds))[0][:, :-1].reshape(-1, self.settings["hidden"])[known], 0.3)
        return F.cross_entropy(self.next(states) @ self.model.embedding.weight[words].t(), targets)


def naive_bayes(tokens, labels, words):
    """Log-count ratio of each word, by the texts of each class in which it occurs, with 1 added."""
    present = torch.zeros(2, words)
    for row, label in zip(tokens, labels):
        present[label, row.unique()] += 1
    rates = (present + 1) / (present.sum(1, keepdim=True) + words)
    ratios = (rates[1] / rates[0]).log()
    ratios[[PAD, UNKNOWN]] = 0
    return ratios


def row_sums(model):
    """Per gate row: the largest |pre-activation| that inputs and states could cause, without biases."""
    gru = model.gru
    return gru.weight_ih_l0.abs().sum(1) * model.embedding.weight.abs().max() + gru.weight_hh_l0.abs().sum(1)


@torch.no_grad()
def bound(model):
    model.embedding.weight.clamp_(-MAX_EMBEDDING, MAX_EMBEDDING)
    factor = (MAX_ROW / row_sums(model)).clamp(max=1)[:, None]
    model.gru.weight_ih_l0.mul_(factor)
    model.gru.weight_hh_l0.mul_(factor)


def train(folder, words, settings):
    torch.manual_seed(SEED)
    load = lambda name: torch.from_numpy(np.load(folder / f"{name}.npy")).long()
    tokens, labels = load("train_tokens"), load("train_labels")
    held, truth = load("validation_tokens"), load("validation_labels")
    model = Classifier(words, settings)
    ratios = naive_bayes(tokens, labels, words)
    scores = ratios[held].sum(1) + (labels.float().mean() / (1 - labels.float().mean())).log()
    print(f"naive Bayes: validation accuracy {((scores > 0) == truth).float().mean():.4f}", flush=True)
    scaled = (ratios / 3).clamp(-1, 1)
    with torch.no_grad():
        model.embedding.weight[:, 0] = scaled
        model.direct.weight.zero_()
        model.direct.weight[:, 0] = torch.tensor([-1.0, 1.0])
    trainer = Trainer(model, settings)
    folds = torch.randint(FOLDS, labels.shape)
    others = [naive_bayes(tokens[folds != k], labels[folds != k], words) for k in range(FOLDS)]
    trainer.ratios = (torch.stack(others) / 3).clamp(-1, 1)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(trainer.parameters(), lr=settings["rate"], weight_decay=settings["decay"])
    total = (settings["pretrain"] + settings["epochs"]) * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["rate"], total_steps=total, pct_start=0.1)
    best, best_weights = float("inf"), None
    for epoch in range(settings["pretrain"] + settings["epochs"]):
        pretrain = epoch < settings["pretrain"]
        # batches of like length: less padding to compute
        order = torch.randperm(len(labels))
        order = order[torch.sort((tokens[order] != PAD).sum(1) // 4, stable=True).indices]
        batches = order.split(BATCH)
        for number in torch.randperm(len(batches)).tolist():
            index = batches[number]
            x = shorter(tokens[index])
            loss = trainer.predict(x, folds[index]) if pretrain else trainer.classify(x, labels[index], folds[index])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            bound(model)
            with torch.no_grad():
                model.embedding.weight[:, 0] = scaled
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - AVERAGE)
        if pretrain:
            print(f"epoch {epoch}: next word {loss.item():.3f}; {time.process_time():.0f} s", flush=True)
            continue
        current = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict(average)
        with torch.no_grad():
            logits = model(held)
        value = F.cross_entropy(logits, truth).item()
        accuracy = (logits.argmax(1) == truth).float().mean().item()
        print(f"epoch {epoch}: validation loss {value:.4f}, accuracy {accuracy:.4f}; {time.process_time():.0f} s", flush=True)
        if value < best:
            best, best_weights = value, {k: v.clone() for k, v in average.items()}
        model.load_state_dict(current)
    model.load_state_dict(best_weights)
    return model.eval()


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    vocabulary = json.loads((MODEL / "sms.json").read_text())
    model = train(folder, len(vocabulary["words"]), SETTINGS)
    sums = row_sums(model)
    print(f"row sums: max {sums.max():.1f}, mean {sums.mean():.1f}; embeddings: max {model.embedding.weight.abs().max():.3f}")
    export(model, vocabulary["length"], "sms")


if __name__ == "__main__":
    main()
