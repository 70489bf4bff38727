"""Losses, and their twins."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from harness import Row

rng = np.random.default_rng(3)
LABELS = np.array([0, 4, 2, 2])
DEEP = rng.integers(0, 5, (2, 3))
PARTS = rng.uniform(0.05, 0.95, (4, 5))
SPREAD = rng.dirichlet(np.ones(5), 4)
BITS = rng.integers(0, 2, (4, 5)).astype(np.float32)
SIGNS = 2 * BITS - 1
FAR = np.array([[-120.0, -30, -1, 0, 1], [30, 120, 5, -5, 2]])
WEIGHTS = [0.5, 1, 2, 0.25, 3]
W = torch.tensor(WEIGHTS, dtype=torch.float64)


def losses(name, call, twin, inputs, **more):
    """A row for a loss called `name`, or `name, in some way`; one more that keeps every element is `rows`."""
    return Row(name, call, twin, inputs, f"std.losses.{name.split(',')[0]}", **more)


def both(name, arguments, twin, inputs, settings="", **more):
    """Two rows: the mean, and a loss for each example. The twin takes `reduction`."""
    first = name.split(",")[0]
    text = ", ".join([arguments, settings]) if settings else arguments
    return [
        losses(name, f"{first}({text})", lambda *x: twin(*x, reduction="mean"), inputs, **more),
        losses(f"{name}, each", f"{first}({text}, reduce: identity)", lambda *x: twin(*x, reduction="none"), inputs,
               **more),
        losses(f"{name}, sum", f"{first}({text}, reduce: sum)", lambda *x: twin(*x, reduction="sum"), inputs, **more),
    ]


def reduced(each):
    """A twin with `reduction` of one that gives each loss."""
    how = {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}
    return lambda *x, reduction: how[reduction](each(*x))


def last(x):
    """PyTorch has the classes at axis 1."""
    return x.movedim(-1, 1)


def focal(x, t):
    log_p = F.log_softmax(x, -1).gather(-1, t[:, None])[:, 0]
    return -((1 - log_p.exp()) ** 2) * log_p


def focal_binary(x, t):
    # As in torchvision.ops.sigmoid_focal_loss.
    p = x.sigmoid()
    p_t = p * t + (1 - p) * (1 - t)
    ce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    return (0.25 * t + 0.75 * (1 - t)) * ce * (1 - p_t) ** 2


def dice(x, t):
    p = x.sigmoid()
    return 1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)


def contrastive(a, b, same):
    d = F.pairwise_distance(a, b)
    return 0.5 * (same * d**2 + (1 - same) * (1.5 - d).clamp(min=0) ** 2)


def nt_xent(a, b):
    z = F.normalize(torch.cat([a, b]))
    n = len(a)
    logits = (z @ z.T / 0.2).masked_fill(torch.eye(2 * n, dtype=torch.bool), -math.inf)
    return F.cross_entropy(logits, (torch.arange(2 * n) + n) % (2 * n), reduction="none")


TEXTS = np.array([[1, 1, 2], [3, 2, 3], [4, 1, 1]])
TIMES = np.array([7, 5, 6])
SIGNS_OF = np.array([3, 2, 0])


def ctc(x, text, times, signs, blank=0):
    log_p = F.log_softmax(x, -1).transpose(0, 1)
    return F.ctc_loss(log_p, text, times, signs, blank=blank, reduction="none")


CLASSES = {"x": (4, 5), "labels": LABELS}
TEXT = {"x": (2, 3, 5), "labels": DEEP}
REALS = {"x": (4, 5), "y": (4, 5)}
FACES = {"a": (4, 6), "b": (4, 6)}

ROWS = [
    *both("cross_entropy", "x, labels", F.cross_entropy, CLASSES),
    *both("cross_entropy, of a text", "x, labels", lambda x, t, reduction: F.cross_entropy(last(x), t, reduction=reduction),
          TEXT),
    *both("cross_entropy, smooth", "x, labels",
          lambda x, t, reduction: F.cross_entropy(x, t, label_smoothing=0.1, reduction=reduction), CLASSES,
          "smoothing: 0.1"),
    *both("cross_entropy, weights", "x, labels", lambda x, t, reduction: F.cross_entropy(x, t, W, reduction=reduction),
          CLASSES, f"weights: {WEIGHTS}"),
    *both("cross_entropy, ignore", "x, labels",
          lambda x, t, reduction: F.cross_entropy(x, t, ignore_index=2, reduction=reduction), CLASSES, "ignore: 2"),
    *both("cross_entropy, all", "x, labels",
          lambda x, t, reduction: F.cross_entropy(last(x), t, W, ignore_index=2, label_smoothing=0.2, reduction=reduction),
          TEXT, f"smoothing: 0.2, weights: {WEIGHTS}, ignore: 2"),
    losses("cross_entropy, large logits", "cross_entropy(x, labels)", F.cross_entropy,
           {"x": FAR, "labels": np.array([0, 3])}),
    *both("nll", "x, labels", lambda x, t, reduction: F.nll_loss(x, t, W, ignore_index=0, reduction=reduction), CLASSES,
          f"weights: {WEIGHTS}, ignore: 0"),
    losses("cross_entropy_soft", "cross_entropy_soft(x, p)", F.cross_entropy, {"x": (4, 5), "p": SPREAD}),
    losses("kl_divergence", "kl_divergence(x, p)",
           lambda x, p: F.kl_div(F.log_softmax(x, -1), p, reduction="batchmean"), {"x": (4, 5), "p": SPREAD}),
    *both("focal", "x, labels", reduced(focal), CLASSES),
    *both("multi_margin", "x, labels", F.multi_margin_loss, CLASSES),
    *both("binary_cross_entropy", "x, p", F.binary_cross_entropy_with_logits, {"x": (4, 5), "p": PARTS}),
    *both("binary_cross_entropy, positive", "x, p",
          lambda x, t, reduction: F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(3.0), reduction=reduction),
          {"x": (4, 5), "p": PARTS}, "positive: 3"),
    losses("binary_cross_entropy, large logits", "binary_cross_entropy(x, t)", F.binary_cross_entropy_with_logits,
           {"x": FAR, "t": BITS[:2]}, constant=("t",)),
    *both("binary_cross_entropy_of_probability", "x, t", F.binary_cross_entropy, {"x": PARTS, "t": BITS},
          constant=("t",)),
    *both("focal_binary", "x, t", reduced(focal_binary), {"x": (4, 5), "t": BITS}, constant=("t",)),
    *both("hinge", "x, t", reduced(lambda x, t: F.relu(1 - t * x)), {"x": (4, 5), "t": SIGNS}, constant=("t",)),
    *both("squared_hinge", "x, t", reduced(lambda x, t: F.relu(1 - t * x) ** 2), {"x": (4, 5), "t": SIGNS},
          constant=("t",)),
    losses("dice", "dice(x, t)", lambda x, t: dice(x, t).mean(), {"x": (4, 5), "t": BITS}, constant=("t",)),
    *both("mse", "x, y", F.mse_loss, REALS),
    *both("mae", "x, y", F.l1_loss, REALS),
    *both("huber", "x, y", lambda x, y, reduction: F.huber_loss(x, y, delta=0.7, reduction=reduction), REALS,
          "delta: 0.7"),
    *both("smooth_l1", "x, y", lambda x, y, reduction: F.smooth_l1_loss(x, y, beta=0.7, reduction=reduction), REALS,
          "beta: 0.7"),
    *both("log_cosh", "x, y", reduced(lambda x, y: (x - y).cosh().log()), REALS),
    *both("poisson_nll", "x, y", F.poisson_nll_loss, {"x": (4, 5), "y": rng.poisson(2, (4, 5)).astype(np.float32)}),
    *both("poisson_nll, means", "x, y", lambda x, y, reduction: F.poisson_nll_loss(x, y, False, reduction=reduction),
          {"x": rng.uniform(0.5, 3, (4, 5)), "y": rng.poisson(2, (4, 5)).astype(np.float32)}, "log_input: false"),
    *both("gaussian_nll", "x, y, v", F.gaussian_nll_loss, REALS | {"v": rng.uniform(0.2, 3, (4, 5))}),
    *both("triplet", "a, b, c", F.triplet_margin_loss, FACES | {"c": (4, 6)}),
    *both("contrastive", "a, b, same", reduced(contrastive), FACES | {"same": BITS[:, 0]}, "margin: 1.5",
          constant=("same",)),
    *both("cosine_embedding", "a, b, t",
          lambda a, b, t, reduction: F.cosine_embedding_loss(a, b, t, margin=-0.5, reduction=reduction),
          FACES | {"t": SIGNS[:, 0]}, "margin: -0.5", constant=("t",)),
    *both("margin_ranking", "x, y, t",
          lambda x, y, t, reduction: F.margin_ranking_loss(x, y, t, margin=0.5, reduction=reduction),
          REALS | {"t": SIGNS}, "margin: 0.5", constant=("t",)),
    *both("nt_xent", "a, b", reduced(nt_xent), FACES, "temperature: 0.2"),
    losses("ctc", "ctc(x, text, times, signs)", lambda *v: ctc(*v).mean(),
           {"x": (3, 7, 5), "text": TEXTS, "times": TIMES, "signs": SIGNS_OF}),
    losses("ctc, each", "ctc(x, text, times, signs, reduce: identity)", ctc,
           {"x": (3, 7, 5), "text": TEXTS, "times": TIMES, "signs": SIGNS_OF}),
    losses("ctc, blank last", "ctc(x, text, times, signs, blank: 5, reduce: identity)", lambda *v: ctc(*v, blank=5),
           {"x": (3, 30, 6), "text": TEXTS, "times": 4 * TIMES, "signs": SIGNS_OF}),
    losses("ctc, one sign", "ctc(x, text, times, signs, reduce: identity)", ctc,
           {"x": (2, 4, 3), "text": np.array([[1], [2]]), "times": np.array([4, 2]), "signs": np.array([1, 1])}),
]
