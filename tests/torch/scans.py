"""Scans, and gradients that a file takes itself, and their twins."""
import torch
import torch.nn.functional as F
from torch.func import functional_call

from harness import Row



def recurrent(kind, flip=False):
    """A net of PyTorch with one layer on weights of ours, which multiply from the right."""

    def run(x, w, u, b, c, *start):
        net = kind(w.shape[0], u.shape[0], batch_first=True).double()
        weights = {"weight_ih_l0": w.T, "weight_hh_l0": u.T, "bias_ih_l0": b, "bias_hh_l0": c}
        start = tuple(s[None] for s in start)
        start = start[0] if len(start) == 1 else start
        out, last = functional_call(net, weights, (x.flip(1) if flip else x, start))
        last = last if isinstance(last, tuple) else (last,)
        out = out.flip(1) if flip else out
        return torch.cat([out.reshape(-1)] + [s.reshape(-1) for s in last])

    return run


GRU = """
let (ys, h) = scan h = h0 for x_t in x axis 1 {
  let (r, z, n) = split(x_t @ w + b, 3, axis: -1); let (hr, hz, hn) = split(h @ u + c, 3, axis: -1)
  let forget = sigmoid(z + hz); let fresh = tanh(n + sigmoid(r + hr) * hn)
  let next = (1 - forget) * fresh + forget * h; yield next; next }
concat([reshape(ys, [size(ys)]), reshape(h, [size(h)])])
"""

LSTM = """
let (ys, h, m) = scan h = h0, m = m0 for x_t in x axis 1 {
  let (i, f, g, o) = split(x_t @ w + b + h @ u + c, 4, axis: -1)
  let m2 = sigmoid(f) * m + sigmoid(i) * tanh(g); let h2 = sigmoid(o) * tanh(m2); yield h2; (h2, m2) }
concat([reshape(ys, [size(ys)]), reshape(h, [size(h)]), reshape(m, [size(m)])])
"""

BACKWARDS = """
let (ys, h) = scan h = h0 for x_t in reverse(x, axis: 1) axis 1 {
  let next = tanh(x_t @ w + b + h @ u + c); yield next; next }
concat([reshape(reverse(ys, axis: 1), [size(ys)]), reshape(h, [size(h)])])
"""


def wide(n, **more):
    """Weights of a cell of 5 units with n gates."""
    gates = {"w": (4, 5 * n), "u": (5, 5 * n), "b": (5 * n,), "c": (5 * n,)}
    return {"x": (3, 7, 4), **gates, "h0": (3, 5), **more}


def slopes(y, *x):
    return torch.autograd.grad(y, x, create_graph=True)


def penalty(x, w, v):
    """The penalty of Gulrajani and others, arXiv 1704.00028."""
    (g,) = slopes((torch.tanh(x @ w) @ v).sum(), x)
    return (g.pow(2).sum(1).sqrt() - 1) ** 2


def image_penalty(x, w):
    y = F.max_pool2d(F.silu(F.conv2d(x, w, stride=1, padding=1)), 2).pow(2).sum()
    return slopes(y, x)[0]


def inner_step(x, w):
    """One step of descent inside the model, as in learning to learn."""
    (g,) = slopes(F.log_softmax(x @ w, -1)[:, 0].sum(), w)
    return x @ (w + 0.1 * g)


def through_time(x, u):
    h = torch.zeros(3, 5, dtype=x.dtype)
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] + h @ u)
    return slopes((h * h).sum(), x)[0]


ROWS = [
    Row("GRU", GRU, recurrent(torch.nn.GRU), wide(3)),
    Row("LSTM", LSTM, recurrent(torch.nn.LSTM), wide(4, m0=(3, 5))),
    Row("a net that reads backwards", BACKWARDS, recurrent(torch.nn.RNN, flip=True), wide(1)),
    Row("gradient penalty", """
let g = gradient(sum(tanh(x @ w) @ v), x)
(sqrt(sum(g * g, axis: 1)) - 1) ^ 2
""", penalty, {"x": (6, 4), "w": (4, 5), "v": (5, 1)}),
    Row("gradient of a convolution and a pool", "gradient(sum((x |> conv(w, 1, 1) |> silu |> max_pool(2, 2)) ^ 2), x)",
        image_penalty, {"x": (2, 3, 6, 6), "w": (4, 3, 3, 3)}),
    Row("a step of descent inside", "x @ (w + 0.1 * gradient(sum(log_softmax(x @ w)[:, 0]), w))", inner_step,
        {"x": (6, 4), "w": (4, 3)}),
    Row("gradient through a scan", """
let h = scan h = zeros([3, 5]) for x_t in x axis 1 { tanh(x_t + h @ u) }
gradient(sum(h * h), x)
""", through_time, {"x": (3, 6, 5), "u": (5, 5)}),
]
