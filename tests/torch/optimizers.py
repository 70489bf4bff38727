"""Optimizers and what wraps them: ten steps of a small network, and the parameters after each compared with PyTorch's.

What PyTorch has is its own; of the rest the twin stands here as the paper has it.
"""
import math
from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from harness import differ, trained

STEPS = 10
rng = np.random.default_rng(12)
START = {"w": rng.standard_normal((4, 3)), "b": rng.standard_normal(3), "k": rng.standard_normal((2, 3, 2)),
         "s": rng.standard_normal(())}
START = {name: np.asarray(value, np.float32) for name, value in START.items()}
X = rng.standard_normal((6, 4)).astype(np.float32)
T = rng.standard_normal((6, 3)).astype(np.float32)

FILE = """
data dummy = drawn_digits(train: 1, test: 1)
layer Net()() {
  param w: f32[4, 3] = zeros()
  param b: f32[3] = zeros()
  param k: f32[2, 3, 2] = zeros()
  param s: f32[] = zeros()
  state x: f32[6, 4] = zeros()
  state t: f32[6, 3] = zeros()
  let off = tanh(x @ w + b) - t
  6 * mean(off * off) + sum(sin(2 * k)) + mean(k * k) + cos(s + sum(k))
}
train agree on dummy.train {
  let net = Net()
  minimize net()
  optimizer: OPTIMIZER
  batch: 1
  steps: 10
  every 10 steps { checkpoint keep 1 }
}
"""


class Net(torch.nn.Module):
    """The same in PyTorch, in f64."""

    def __init__(self):
        super().__init__()
        for name, value in START.items():
            setattr(self, name, torch.nn.Parameter(torch.tensor(value, dtype=torch.float64)))
        self.x, self.t = (torch.tensor(v, dtype=torch.float64) for v in (X, T))

    def forward(self):
        off = torch.tanh(self.x @ self.w + self.b) - self.t
        return 6 * (off * off).mean() + torch.sin(2 * self.k).sum() + (self.k * self.k).mean() \
            + torch.cos(self.s + self.k.sum())


class Written(torch.optim.Optimizer):
    """An optimizer written as a function `(p, g, state, step)` that changes p; `state` is a dict of its own."""

    def __init__(self, parameters, move):
        super().__init__(list(parameters), {})
        self.move, self.steps = move, 0

    @torch.no_grad()
    def step(self):
        self.steps += 1
        for p in (p for group in self.param_groups for p in group["params"] if p.grad is not None):
            self.move(p, p.grad, self.state[p], self.steps)


def written(move):
    return lambda net: Written(net.parameters(), move)


@dataclass
class Optimizer:
    """`tfm`: how it is written. `twin`: from the network to PyTorch's. `around`: called with network, optimizer and the
    step in place of `optimizer.step()`. `average`: what evaluation uses, compared too."""

    tfm: str
    twin: Callable
    around: Callable = None
    average: Callable = None
    limit: float = 1e-5
    because: str = ""

    @property
    def name(self):
        return self.tfm

    def run(self, tfm):
        net = Net()
        optimizer, losses = self.twin(net), []
        average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(self.average)) if self.average else None
        for step in range(1, STEPS + 1):
            optimizer.zero_grad()
            loss = net()
            loss.backward()
            losses.append(loss.item())
            self.around(net, optimizer, step) if self.around else optimizer.step()
            if average:
                average.update_parameters(net)
        theirs = {name: getattr(net, name).detach().numpy() for name in START}
        if average:
            theirs |= {f"{name}/average": getattr(average.module, name).detach().numpy() for name in START}
        text = "import std.optim.{" + ", ".join(sorted(NAMES)) + "}\n" + FILE.replace("OPTIMIZER", self.tfm)
        start = {f"net.{name}": value for name, value in (START | {"x": X, "t": T}).items()}
        with trained(tfm, text, start) as run:
            apart = {name: differ(run.saved[f"net.{name}"], value) for name, value in theirs.items()}
            ours = [row["loss"] for row in run.log if "loss" in row]
            return apart | {"losses": differ(ours, losses)}


def lion(p, g, state, step):
    m = state.setdefault("m", torch.zeros_like(p))
    p.mul_(1 - 0.01 * 0.1).sub_(0.01 * torch.sign(0.9 * m + 0.1 * g))
    m.mul_(0.99).add_(0.01 * g)


def ratio(p, d):
    return (p.norm() / d.norm()).item() if p.norm() > 0 and d.norm() > 0 else 1.0


def lamb(p, g, state, step):
    m, v = state.setdefault("m", torch.zeros_like(p)), state.setdefault("v", torch.zeros_like(p))
    m.mul_(0.9).add_(0.1 * g)
    v.mul_(0.999).add_(0.001 * g * g)
    d = m / (1 - 0.9**step) / ((v / (1 - 0.999**step)).sqrt() + 1e-6) + 0.1 * p
    p.sub_(0.05 * ratio(p, d) * d)


def lars(p, g, state, step):
    m = state.setdefault("m", torch.zeros_like(p))
    if p.dim() >= 2:
        g = g + 0.01 * p
        g = 0.02 * ratio(p, g) * g
    m.mul_(0.9).add_(0.5 * g)
    p.sub_(m)


def muon(p, g, state, step):
    if p.dim() != 2:
        m = state.setdefault("m", torch.zeros_like(p))
        m.mul_(0.9).add_(g)
        return p.sub_(0.01 * m)
    m = state.setdefault("m", torch.zeros_like(p))
    m.lerp_(g, 0.05)
    x = g.lerp(m, 0.95)
    x = x / x.norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    p.mul_(1 - 0.02 * 0.1).sub_(0.02 * math.sqrt(max(1, p.shape[0] / p.shape[1])) * x)


def clipped(net, optimizer, step):
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()


def clipped_by_value(net, optimizer, step):
    torch.nn.utils.clip_grad_value_(net.parameters(), 0.3)
    optimizer.step()


class Slow:
    """Lookahead, every 3 steps half of the way."""

    def __call__(self, net, optimizer, step):
        if step == 1:
            self.slow = [p.detach().clone() for p in net.parameters()]
        optimizer.step()
        if step % 3 == 0:
            with torch.no_grad():
                for slow, p in zip(self.slow, net.parameters()):
                    slow.lerp_(p, 0.5)
                    p.copy_(slow)


class Gathered:
    """The mean gradient of every 3 steps."""

    def __call__(self, net, optimizer, step):
        if step % 3 == 1:
            self.sums = [torch.zeros_like(p) for p in net.parameters()]
        for total, p in zip(self.sums, net.parameters()):
            total += p.grad / 3
        if step % 3 == 0:
            for total, p in zip(self.sums, net.parameters()):
                p.grad = total
            optimizer.step()


def matrices(net, rate):
    """Parameter groups with decay for what has two axes or more."""
    parts = [[p for p in net.parameters() if (p.dim() >= 2) == wide] for wide in (True, False)]
    return [{"params": parts[0], "weight_decay": rate}, {"params": parts[1], "weight_decay": 0.0}]


O = torch.optim
ROWS = [
    Optimizer("Sgd(0.05)", lambda n: O.SGD(n.parameters(), 0.05)),
    Optimizer("Sgd(0.05, momentum: 0.9)", lambda n: O.SGD(n.parameters(), 0.05, momentum=0.9)),
    Optimizer("Sgd(0.05, momentum: 0.9, nesterov: true)",
              lambda n: O.SGD(n.parameters(), 0.05, momentum=0.9, nesterov=True)),
    Optimizer("Sgd(0.05, momentum: 0.9, dampening: 0.5)",
              lambda n: O.SGD(n.parameters(), 0.05, momentum=0.9, dampening=0.5)),
    Optimizer("Adam(0.05)", lambda n: O.Adam(n.parameters(), 0.05)),
    Optimizer("Adam(0.05, beta1: 0.5, beta2: 0.9, eps: 1e-4)",
              lambda n: O.Adam(n.parameters(), 0.05, betas=(0.5, 0.9), eps=1e-4)),
    Optimizer("Adam(0.3, amsgrad: true, beta2: 0.5)",
              lambda n: O.Adam(n.parameters(), 0.3, betas=(0.9, 0.5), amsgrad=True)),
    Optimizer("AdamW(0.05, decay: 0.1)", lambda n: O.AdamW(n.parameters(), 0.05, weight_decay=0.1)),
    Optimizer("AdamW(0.05, decay: 0.1, only: matrices, amsgrad: true)",
              lambda n: O.AdamW(matrices(n, 0.1), 0.05, amsgrad=True)),
    Optimizer("Adamax(0.05)", lambda n: O.Adamax(n.parameters(), 0.05)),
    Optimizer("NAdam(0.05)", lambda n: O.NAdam(n.parameters(), 0.05)),
    Optimizer("RAdam(0.05)", lambda n: O.RAdam(n.parameters(), 0.05)),
    Optimizer("RAdam(0.05, beta2: 0.8)", lambda n: O.RAdam(n.parameters(), 0.05, betas=(0.9, 0.8))),
    Optimizer("Adagrad(0.1)", lambda n: O.Adagrad(n.parameters(), 0.1)),
    Optimizer("Adagrad(0.1, initial: 0.5)", lambda n: O.Adagrad(n.parameters(), 0.1, initial_accumulator_value=0.5)),
    Optimizer("Adadelta()", lambda n: O.Adadelta(n.parameters())),
    Optimizer("RMSprop(0.02)", lambda n: O.RMSprop(n.parameters(), 0.02)),
    Optimizer("RMSprop(0.02, rho: 0.9, momentum: 0.5, centered: true)",
              lambda n: O.RMSprop(n.parameters(), 0.02, alpha=0.9, momentum=0.5, centered=True)),
    Optimizer("Adafactor(0.1)", lambda n: O.Adafactor(n.parameters(), 0.1, eps=(2.0**-23, 1e-3))),
    Optimizer("Adafactor(0.2, decay: 0.1, limit: 1.5)",
              lambda n: O.Adafactor(n.parameters(), 0.2, weight_decay=0.1, d=1.5, eps=(2.0**-23, 1e-3))),
    Optimizer("Lion(0.01, decay: 0.1)", written(lion)),
    Optimizer("LAMB(0.05, decay: 0.1)", written(lamb)),
    Optimizer("LARS(0.5, rate: 0.02, decay: 0.01)", written(lars)),
    Optimizer("Muon(0.02, others: Sgd(0.01, momentum: 0.9))", written(muon)),
    Optimizer("Adam(0.05) |> clip_norm(1.0)", lambda n: O.Adam(n.parameters(), 0.05), clipped),
    Optimizer("Sgd(0.05) |> clip_value(0.3)", lambda n: O.SGD(n.parameters(), 0.05), clipped_by_value),
    Optimizer("Sgd(0.05) |> decay(0.1)", lambda n: O.SGD(n.parameters(), 0.05, weight_decay=0.1)),
    Optimizer("Adam(0.05) |> decay(0.1, only: matrices)", lambda n: O.Adam(matrices(n, 0.1), 0.05)),
    Optimizer("Adam(0.05) |> lookahead(every: 3, rate: 0.5)", lambda n: O.Adam(n.parameters(), 0.05), Slow()),
    Optimizer("Adam(0.05) |> accumulate(3)", lambda n: O.Adam(n.parameters(), 0.05), Gathered()),
    Optimizer("Sgd(0.05, momentum: 0.9) |> accumulate(3) |> ema(rate: 0.7)",
              lambda n: O.SGD(n.parameters(), 0.05, momentum=0.9), Gathered(), average=0.7),
    Optimizer("Adam(0.05) |> ema(rate: 0.7)", lambda n: O.Adam(n.parameters(), 0.05), average=0.7),
]
NAMES = {word for row in ROWS for word in
         (row.tfm.split("(")[0], *[part.split("(")[0].strip() for part in row.tfm.split("|>")[1:]])} | {"matrices", "Sgd"}
