"""Runs one application of the language and its PyTorch twin on the same numbers, and compares values and gradients.

A row is one application: an expression, what goes in, and the twin. The harness writes a file around it,

    layer Row()() {
      param x: f32[3, 4] = zeros()
      param dy: f32[3] = zeros()
      sum(dy * (EXPRESSION))
    }

starts it from weights that it wrote (`tfm train --start`), and takes one step of an optimizer that is `p <- g`. So the
saved `dy` is the value of the expression, the saved `x` the gradient for that `dy`, to the last bit, and nothing had to
be added to the language for it. PyTorch computes in f64 from the same f32 numbers.

Two tensors agree when no element differs by more than `limit` times the largest element of PyTorch's.
"""
import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

try:
    import numpy as np
    import torch
    import torch.nn  # this folder is called torch too, and would be taken for the package where that is missing
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed for {sys.executable}")
    sys.exit(0)

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 1e-5
DTYPES = {"float32": ("f32", "F32"), "float64": ("f64", "F64"), "int32": ("i32", "I32"), "int64": ("i64", "I64"),
          "bool": ("bool", "BOOL")}
READ = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "BOOL": np.bool_}


def say(value):
    """A number or nested lists of them as the language writes it."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(say, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def write_safetensors(path, tensors):
    """The format: the header's length in eight bytes, the header as JSON, the numbers end to end."""
    header, at = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": DTYPES[str(value.dtype)][1], "shape": list(value.shape),
                        "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value).tobytes())


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    body, out = data[8 + length:], {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            a, b = entry["data_offsets"]
            out[name] = np.frombuffer(body[a:b], READ[entry["dtype"]]).reshape(entry["shape"])
    return out


class Failed(Exception):
    """tfm left with an error: its text."""


@dataclass
class Run:
    """What a run of tfm left behind."""

    saved: dict  # every variable of the last checkpoint, by path
    log: list  # the rows of metrics.jsonl
    folder: Path


@contextlib.contextmanager
def trained(tfm, text, weights=None, files=None, more=()):
    """Writes a file and what belongs to it, trains, and gives what it left. The folder is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "row.tfm").write_text(text)
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        command = [tfm, "train", folder / "row.tfm", "--runs", folder / "runs", "--quiet", "--threads", "1", *more]
        if weights is not None:
            write_safetensors(folder / "start.safetensors", weights)
            command += ["--start", folder / "start.safetensors"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              env={**os.environ, "TFM_DATA": str(folder)})
        if done.returncode:
            raise Failed(f"{text}\n{done.stderr[-3000:]}")
        saved = {}
        last = sorted((folder / "runs").rglob("manifest.json"))[-1].parent
        for part in last.glob("*.safetensors"):
            saved |= read_safetensors(part)
        (log,) = (folder / "runs").rglob("metrics.jsonl")
        yield Run(saved, [json.loads(line) for line in log.read_text().splitlines()], log.parent)


def differ(ours, theirs):
    """The largest difference in units of the largest element; infinite where shapes or infinities do not match."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    if not theirs.size:
        return 0.0
    if not np.isfinite(ours).all() or not np.isfinite(theirs).all():
        return float("inf")
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))


@dataclass
class Row:
    """One application and its twin.

    `tfm`: the expression, perhaps after lines of `let`. `imports`: what it needs, `std.layers.Dense`.
    `inputs`: by name, what the expression reads: an array, or a shape to be filled from the normal distribution.
        Floats are differentiated unless their names are in `constant`; integers and booleans never are.
    `weights`: those of the layers in it, by their path in the row, `dense_1.w`: an array or a shape.
    `states`: like `weights`, for what a layer keeps with `state`: not differentiated; their values after the step are
        compared with the twin's where `after` gives them.
    `twin`: from the inputs, in order, and then, where there are weights or states, a dict of them, to a tensor.
    `limit`: how far the two may be apart, with the reason in `because` where it is not 1e-5.
    `top`: further declarations for the file, a layer of the row's own.
    """

    name: str
    tfm: str
    twin: Callable
    inputs: dict = field(default_factory=dict)
    imports: Any = ()
    weights: dict = field(default_factory=dict)
    states: dict = field(default_factory=dict)
    after: Callable = None
    constant: tuple = ()
    limit: float = LIMIT
    because: str = ""
    top: str = ""

    def arrays(self):
        """Everything that the row is given, by its path below the row, as f32 or an integer dtype."""
        rng = np.random.default_rng(sum(map(ord, self.name)))

        def filled(value):
            if isinstance(value, tuple):
                value = rng.standard_normal(value)
            value = np.asarray(value)
            if value.dtype == np.int64:
                return value.astype(np.int32)
            return value.astype(np.float32) if value.dtype == np.float64 else value

        return [{name: filled(value) for name, value in part.items()}
                for part in (self.inputs, self.weights, self.states)]

    def run(self, tfm):
        """The largest relative difference of each tensor compared, by name."""
        assert self.limit == LIMIT or self.because, f"{self.name}: a limit of its own needs a reason"
        inputs, weights, states = self.arrays()
        wanted = {n for n, v in inputs.items() if v.dtype == np.float32 and n not in self.constant}
        tensors = {n: torch.tensor(v, dtype=torch.float64 if v.dtype == np.float32 else None)
                   for n, v in inputs.items()}
        tensors = {n: t.long() if t.dtype == torch.int32 else t for n, t in tensors.items()}
        held = {n: torch.tensor(v, dtype=torch.float64) for n, v in (weights | states).items()}
        moving = {n: tensors[n].requires_grad_() for n in wanted} | {n: held[n].requires_grad_() for n in weights}
        given = list(tensors.values()) + ([held] if held else [])
        y = self.twin(*given)
        dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
        leaves = list(moving.items())
        gradients = torch.autograd.grad((y * torch.tensor(dy, dtype=torch.float64)).sum(), [t for _, t in leaves],
                                        allow_unused=True)
        theirs = {"dy": y.detach().numpy()}
        theirs |= {n: np.zeros(t.shape) if g is None else g.numpy() for (n, t), g in zip(leaves, gradients)}
        if self.after:
            theirs |= {n: np.asarray(v) for n, v in self.after(*given).items()}
        start = {f"row.{n}": v for n, v in (inputs | weights | states | {"dy": dy}).items()}
        with trained(tfm, self.text(inputs, wanted, dy), start) as run:
            return {n: differ(run.saved[f"row.{n}"], v) for n, v in theirs.items()}

    def text(self, inputs, wanted, dy):
        imports = [self.imports] if isinstance(self.imports, str) else self.imports
        lines = [f"import {i}" for i in imports]
        lines += ["data dummy = drawn_digits(train: 1, test: 1)", GIVE, self.top, "layer Row()() {"]
        for name, value in (inputs | {"dy": dy}).items():
            kind = "param" if name in wanted or name == "dy" else "state"
            dtype = DTYPES[str(value.dtype)][0]
            start = "zeros()" if dtype == "f32" else f"zeros({say(list(value.shape))}, {dtype})"
            if dtype == "bool":
                start = f"ones({say(list(value.shape))}) > 2"
            lines.append(f"  {kind} {name}: {dtype}{say(list(value.shape))} = {start}")
        *before, last = self.tfm.strip().splitlines()
        lines += [f"  {line}" for line in before]
        lines += [f"  sum(dy * ({last.strip()}))", "}", "train agree on dummy.train {", "  let row = Row()",
                  "  minimize row()", "  optimizer: Give()", "  batch: 1", "  steps: 1",
                  "  every 1 steps { checkpoint keep 1 }", "}"]
        return "\n".join(lines) + "\n"


GIVE = "optimizer Give()(p: float[..S], g: float[..S], step: float[]) { p <- g }"


def find_tfm():
    for folder in ("release", "debug"):
        path = ROOT / "target" / folder / "tfm"
        if path.exists():
            return path
    sys.exit("there is no `tfm` in `target`: run `cargo build --release`, or say `--tfm PATH`")


def compare(tfm, rows, verbose=False):
    """Runs rows, says which do not agree, and gives how many agreed and how many did not."""
    agreed, wrong = 0, 0
    for row in rows:
        try:
            apart = row.run(tfm)
        except Failed as failed:
            print(f"{row.name}: tfm failed on\n{failed}", flush=True)
            wrong += 1
            continue
        worst = max(apart, key=apart.get)
        if apart[worst] <= row.limit:
            agreed += 1
            if verbose:
                print(f"{row.name}: agrees, {apart[worst]:.1e} in {worst}", flush=True)
        else:
            wrong += 1
            print(f"{row.name}: DIFFERS by {', '.join(f'{n} {d:.1e}' for n, d in apart.items())}", flush=True)
    return agreed, wrong
