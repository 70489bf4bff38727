"""Metrics over an evaluation in uneven batches, and what numpy says of all examples at once.

The file evaluates a table of 45 examples in batches of 8, the last of 5. Every metric stands in one `train` block.
"""
import math

import numpy as np

from harness import LIMIT, differ, trained

rng = np.random.default_rng(5)
N = 45
LOGITS = (2 * rng.standard_normal((N, 4))).astype(np.float32)
LABELS = rng.integers(0, 4, N)
LABELS[LABELS == 3] = rng.integers(0, 3, (LABELS == 3).sum())  # The last class never occurs, but is said.
SCORES = (rng.standard_normal(N) * 3 + 2 * (rng.uniform(size=N) - 0.5)).astype(np.float32)
SCORES[::7] = 0.5  # Ties.
TRUTH = (SCORES + rng.standard_normal(N) * 4 > 0).astype(np.int64)
REALS = (rng.standard_normal(N) + 1000).astype(np.float32)
GUESSES = (REALS + rng.standard_normal(N) * 0.3).astype(np.float32)

SAID = LOGITS.argmax(1)
COUNTS = np.zeros((4, 4))
np.add.at(COUNTS, (LABELS, SAID), 1)
OWN = LOGITS[np.arange(N), LABELS]
LOG_P = LOGITS.astype(np.float64) - np.log(np.exp(LOGITS.astype(np.float64)).sum(1, keepdims=True))
SURPRISE = -LOG_P[np.arange(N), LABELS]


def averaged(right, below, average):
    there, said = COUNTS.sum(1), COUNTS.sum(0)
    each = np.divide(right, below, out=np.zeros(4), where=below > 0)
    return {"macro": each[there + said > 0].mean(), "micro": right.sum() / below.sum(),
            "weighted": (each * there).sum() / there.sum()}[average]


def area():
    a, b = SCORES[TRUTH == 1].astype(np.float64), SCORES[TRUTH == 0].astype(np.float64)
    return ((a[:, None] > b) + 0.5 * (a[:, None] == b)).mean()


RIGHT, SAID_OF, THERE = COUNTS.diagonal(), COUNTS.sum(0), COUNTS.sum(1)
TP, FN = ((SCORES > 0) & (TRUTH == 1)).sum(), ((SCORES <= 0) & (TRUTH == 1)).sum()
FP, TN = ((SCORES > 0) & (TRUTH == 0)).sum(), ((SCORES <= 0) & (TRUTH == 0)).sum()
ERRORS = REALS.astype(np.float64) - GUESSES.astype(np.float64)
EXPECTED = {
    "accuracy(logits, y)": (SAID == LABELS).mean(),
    "accuracy(logits, y, ignore: 1)": (SAID == LABELS)[LABELS != 1].mean(),
    "top_k_accuracy(logits, y, k: 2)": ((LOGITS > OWN[:, None]).sum(1) < 2).mean(),
    **{f'{name}_classes(logits, y, average: "{how}")': averaged(right, below, how)
       for how in ("macro", "micro", "weighted")
       for name, right, below in (("precision", RIGHT, SAID_OF), ("recall", RIGHT, THERE),
                                  ("f1", 2 * RIGHT, SAID_OF + THERE))},
    "mean_iou(logits, y)": averaged(RIGHT, SAID_OF + THERE - RIGHT, "macro"),
    "perplexity(logits, y)": math.exp(SURPRISE.mean()),
    "perplexity(logits, y, ignore: 2)": math.exp(SURPRISE[LABELS != 2].mean()),
    "bits_per_character(logits, y)": SURPRISE.mean() / math.log(2),
    "accuracy_binary(score, truth)": ((SCORES > 0) == (TRUTH == 1)).mean(),
    "precision(score, truth)": TP / (TP + FP),
    "recall(score, truth)": TP / (TP + FN),
    "specificity(score, truth)": TN / (TN + FP),
    "f1(score, truth)": 2 * TP / (2 * TP + FP + FN),
    "auc(score, truth)": area(),
    "mae(guess, real)": np.abs(ERRORS).mean(),
    "mse(guess, real)": (ERRORS**2).mean(),
    "rmse(guess, real)": np.sqrt((ERRORS**2).mean()),
    "r2(guess, real)": 1 - (ERRORS**2).sum() / ((REALS - REALS.astype(np.float64).mean()) ** 2).sum(),
    **{f"sum(where(at == {4 * i + j}, confusion_matrix(logits, y), 0))": COUNTS[i, j]
       for i in range(4) for j in range(4)},
}


def evaluation(tfm):
    """The value of each metric after one evaluation."""
    imports = sorted({name.split("(")[0] for name in EXPECTED if not name.startswith("sum(")} | {"confusion_matrix"})
    lines = [f"import std.metrics.{{{', '.join(imports)}}}", "import std.optim.Sgd"]
    lines += ['data table = csv("table.csv") {', *(f"  x{i}: f32" for i in range(4)),
              '  y: label(["a", "b", "c", "d"])', "  score: f32", '  truth: label(["n", "y"])', "  guess: f32",
              "  real: f32", "}", "layer One()() {", "  param w: f32[] = ones()", "  w", "}",
              "train measured on table.all {", "  let logits = stack([x0, x1, x2, x3], axis: -1)",
              "  let at = reshape(iota(16), [4, 4])"]
    lines += [f"  let m{i} = {call}" for i, call in enumerate(EXPECTED)]
    lines += ["  minimize One()()", "  report " + ", ".join(f"m{i}" for i in range(len(EXPECTED))),
              "  optimizer: Sgd(0.1)", "  batch: 8", "  steps: 1",
              "  every 1 steps { evaluate table.all\n checkpoint keep 1 }", "}"]
    table = ["x0,x1,x2,x3,y,score,truth,guess,real"]
    table += [",".join([*map(repr, map(float, LOGITS[i])), "abcd"[LABELS[i]], repr(float(SCORES[i])), "ny"[TRUTH[i]],
                        repr(float(GUESSES[i])), repr(float(REALS[i]))]) for i in range(N)]
    with trained(tfm, "\n".join(lines) + "\n", files={"table.csv": "\n".join(table) + "\n"}) as run:
        (row,) = [row for row in run.log if any(".m0" in name for name in row)]
        values = {name.split(".")[-1]: value for name, value in row.items()}
        return {call: values[f"m{i}"] for i, call in enumerate(EXPECTED)}


class Metric:
    """One metric; all are evaluated together when the first is asked for."""

    together = None

    def __init__(self, call):
        self.name, self.limit = call, LIMIT

    def run(self, tfm):
        Metric.together = Metric.together or evaluation(tfm)
        return {"value": differ(Metric.together[self.name], EXPECTED[self.name])}


ROWS = [Metric(call) for call in EXPECTED]
