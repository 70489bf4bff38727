"""Schedules: the rate of each of 24 steps, an epoch having 4, beside PyTorch's or the formula of the paper."""
import math
import warnings
from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch
from torch.optim import lr_scheduler as T

from harness import LIMIT, differ, trained

warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
STEPS = 24
LOSSES = np.array([9, 8, 7, 6, 5, 5.1, 4, 4, 4, 4, 3.9999, 4, 4.1, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3], np.float32)

# The parameter of length 24 ends as the rates of the steps; the loss of each step is given.
FILE = """
data dummy = drawn_digits(train: 4, test: 1)
optimizer Keep(lr: schedule)(p: float[..S], g: float[..S], step: float[]) {
  p <- where(f32(iota(24)) == step - 1, lr, p)
}
layer Rates()() {
  param p: f32[24] = zeros()
  state losses: f32[24] = zeros()
  state n: f32[] = zeros()
  let loss = sum(where(f32(iota(24)) == n, losses, 0))
  if training { n <- n + 1 }
  loss + 0 * sum(p)
}
train agree on dummy.train {
  let rates = Rates()
  minimize rates()
  optimizer: Keep(SCHEDULE)
  batch: 1
  epochs: 6
  every 24 steps { checkpoint keep 1 }
}
"""


@dataclass
class Schedule:
    """`twin` gives PyTorch's scheduler for an optimizer whose rate is 1, or is the rate as a function of the step from 1.
    `rate`: what the optimizer begins with."""

    tfm: str
    twin: Callable
    rate: float = 1.0
    limit: float = LIMIT

    @property
    def name(self):
        return self.tfm

    def expected(self):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], self.rate)
        try:
            scheduler = self.twin(optimizer)
        except TypeError:
            return [self.twin(step) for step in range(1, STEPS + 1)]
        rates, losses = [], []
        for step in range(1, STEPS + 1):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if not isinstance(scheduler, T.ReduceLROnPlateau):
                scheduler.step()
                continue
            losses.append(float(LOSSES[step - 1]))
            if step % 2 == 0:
                scheduler.step(sum(losses) / 2)
                losses = []
        return rates

    def run(self, tfm):
        names = sorted({word for row in ROWS for word in row.tfm.replace("(", " ( ").split() if word in SCHEDULES})
        text = f"import std.schedules.{{{', '.join(names)}}}\n" + FILE.replace("SCHEDULE", self.tfm)
        start = {"rates.p": np.zeros(STEPS, np.float32), "rates.losses": LOSSES, "rates.n": np.zeros((), np.float32)}
        with trained(tfm, text, start) as run:
            return {"rates": differ(run.saved["rates.p"], self.expected())}


SCHEDULES = {"cosine", "cosine_restarts", "linear", "polynomial", "step_decay", "piecewise", "exponential", "inverse_sqrt",
             "warmup", "warmup_stable_decay", "one_cycle", "cyclic", "plateau"}
ROWS = [
    Schedule("0.25", lambda o: T.ConstantLR(o, 1.0), rate=0.25),
    Schedule("cosine(0.5, to: 0.1)", lambda o: T.CosineAnnealingLR(o, STEPS, eta_min=0.1), rate=0.5),
    Schedule("cosine(1.0, over: 3 epochs)", lambda s: 0.5 * (1 + math.cos(math.pi * min(1, (s - 1) / 12)))),
    Schedule("cosine_restarts(1.0, to: 0.1, every: 5 steps)",
             lambda o: T.CosineAnnealingWarmRestarts(o, 5, eta_min=0.1)),
    Schedule("cosine_restarts(1.0, every: 3 steps, grow: 2)", lambda o: T.CosineAnnealingWarmRestarts(o, 3, T_mult=2)),
    Schedule("linear(1.0, to: 0.1, over: 10 steps)", lambda o: T.LinearLR(o, 1.0, 0.1, 10)),
    Schedule("linear(0.5)", lambda s: 0.5 * (1 - (s - 1) / STEPS)),
    Schedule("polynomial(1.0, power: 2)", lambda o: T.PolynomialLR(o, STEPS, power=2.0)),
    Schedule("polynomial(1.0, power: 0.9, over: 0.5)", lambda o: T.PolynomialLR(o, STEPS // 2, power=0.9)),
    Schedule("step_decay(1.0, factor: 0.5, every: 1 epochs)", lambda o: T.StepLR(o, 4, 0.5)),
    Schedule("step_decay(1.0, factor: 0.5, every: 1 epochs, after: 4 epochs)",
             lambda s: 0.5 ** max(0, (s - 1 - 16) // 4 + 1)),
    Schedule("piecewise(1.0, at: [2 epochs, 11 steps, 0.75], factor: 0.1)", lambda o: T.MultiStepLR(o, [8, 11, 18], 0.1)),
    Schedule("exponential(1.0, factor: 0.9, every: 1 steps)", lambda o: T.ExponentialLR(o, 0.9)),
    Schedule("exponential(1.0, factor: 0.5, every: 0.5)", lambda s: 0.5 ** ((s - 1) / 12)),
    Schedule("inverse_sqrt(0.5, over: 4 steps)", lambda s: 0.5 * min(s / 4, (4 / s) ** 0.5)),
    Schedule("warmup(cosine(1.0), over: 1 epochs)",
             lambda s: min(1, s / 4) * 0.5 * (1 + math.cos(math.pi * (s - 1) / STEPS))),
    Schedule("warmup(0.5, over: 0.25)", lambda s: 0.5 * min(1, s / 6)),
    Schedule("warmup_stable_decay(1.0, rise: 1 epochs, fall: 10 steps, to: 0.1)",
             lambda s: min(s / 4, 0.1 + 0.9 * min(1, (STEPS - s + 1) / 10))),
    Schedule("one_cycle(2.0, rise: 6 steps)", lambda o: T.OneCycleLR(o, 2.0, total_steps=STEPS, pct_start=0.25)),
    Schedule("one_cycle(2.0, rise: 0.5, start: 10, end: 100)",
             lambda o: T.OneCycleLR(o, 2.0, total_steps=STEPS, pct_start=0.5, div_factor=10, final_div_factor=100)),
    Schedule("cyclic(0.1, 1.0, rise: 3 steps)", lambda o: T.CyclicLR(o, 0.1, 1.0, 3)),
    Schedule("cyclic(0.1, 1.0, rise: 2 steps, fall: 1 epochs, shrink: 0.5)",
             lambda o: T.CyclicLR(o, 0.1, 1.0, 2, 4, mode="triangular2")),
    Schedule("plateau(1.0, factor: 0.5, patience: 1, every: 2 steps, least: 0.2)",
             lambda o: T.ReduceLROnPlateau(o, factor=0.5, patience=1, min_lr=0.2)),
    Schedule("warmup(plateau(1.0, factor: 0.1, patience: 0, every: 2 steps), over: 5 steps)",
             lambda s: min(1, s / 5) * stepped(T.ReduceLROnPlateau, s)),
]


def stepped(kind, step):
    """PyTorch's plateau without patience at a step, by itself."""
    row = Schedule("", lambda o: kind(o, factor=0.1, patience=0))
    return row.expected()[step - 1]
