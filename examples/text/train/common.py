"""What both trainings share."""

import pathlib

import torch

MODEL = pathlib.Path(__file__).resolve().parent.parent / "model"

BATCH = 64
# Of the running average of the weights.
AVERAGE = 0.98
# A bound of what the gates add up, which keeps the fixed-point arithmetic of the private inference comfortable.
MAX_ROW = 60.0
PAD, UNKNOWN = 0, 1


def shorter(tokens):
    """Without the columns in front that are padding in every row: the states after it differ little."""
    first = int((tokens != PAD).any(0).int().argmax())
    return tokens[:, max(0, first - 1) :]


def export(model, length, name):
    torch.onnx.export(
        model,
        torch.zeros(1, length, dtype=torch.long),
        str(MODEL / f"{name}.onnx"),
        input_names=["tokens"],
        output_names=["logits"],
        dynamic_axes={"tokens": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=13,
    )
