"""Losses, and their twins."""
import torch.nn.functional as F

from harness import Row

ROWS = [
    Row("cross_entropy", "cross_entropy(x, labels)", lambda x, t: F.cross_entropy(x, t),
        {"x": (4, 5), "labels": [0, 4, 2, 2]}, "std.losses.cross_entropy"),
    Row("mse", "mse(x, y)", lambda x, y: F.mse_loss(x, y), {"x": (4, 5), "y": (4, 5)}, "std.losses.mse"),
    Row("dense", "Dense(3)(x)", lambda x, w: x @ w["dense_1.w"] + w["dense_1.b"], {"x": (4, 5)}, "std.layers.Dense",
        weights={"dense_1.w": (5, 3), "dense_1.b": (3,)}),
]
