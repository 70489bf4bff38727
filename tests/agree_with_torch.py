"""Do we compute what PyTorch computes?  The first 20 losses of three workloads, from the same weights and batches.

    python tests/agree_with_torch.py [--tfm target/release/tfm] [mlp cnn gpt]

The models of `tests/agree/*.tfm` stand here once more in PyTorch. Weights and 20 batches are drawn with a fixed seed
and written as files; tfm takes each batch once and reports which it took; PyTorch takes them in that order, and no loss
may differ by more than 1e-4 of itself.
Without PyTorch or numpy it says so and leaves with status 0; with a disagreement the status is 1.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "torch"))
from harness import ROOT, find_tfm, np, torch, write_safetensors  # noqa: E402  (it says so where there is no PyTorch)

import torch.nn.functional as F  # noqa: E402

STEPS, LIMIT = 20, 1e-4


def dense(rng, path, inputs, outputs):
    """Weights [in, out] and bias, uniform within 1 / sqrt(in)."""
    k = inputs**-0.5
    return {
        f"{path}.w": rng.uniform(-k, k, (inputs, outputs)),
        f"{path}.b": rng.uniform(-k, k, outputs),
    }


def conv(rng, path, inputs, outputs, kernel):
    """Kernel [out, in, k, k] and bias, uniform within 1 / sqrt(fan in)."""
    k = (inputs * kernel * kernel) ** -0.5
    return {
        f"{path}.w": rng.uniform(-k, k, (outputs, inputs, kernel, kernel)),
        f"{path}.b": rng.uniform(-k, k, outputs),
    }


def write_idx(path, array):
    """Bytes with their sizes in front: the form of the MNIST files."""
    path.write_bytes(struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


class Mlp:
    def __init__(self, rng):
        pixels = (rng.standard_normal((STEPS, 128, 784)) * 64 + 127.5).round().clip(0, 255)
        labels = rng.integers(0, 10, (STEPS, 128, 1))
        self.batches = np.concatenate([pixels, labels], axis=2).astype(np.uint8)
        self.p = self.weights(rng)

    def weights(self, rng):
        return {**dense(rng, "Net.dense_1", 784, 512), **dense(rng, "Net.dense_2", 512, 512),
                **dense(rng, "Net.dense_3", 512, 10)}

    def pair(self, batch):
        return (batch[:, :784].float() - 127.5) / 64, batch[:, 784].long()

    def logits(self, p, h):
        h = F.relu(h @ p["Net.dense_1.w"] + p["Net.dense_1.b"])
        h = F.relu(h @ p["Net.dense_2.w"] + p["Net.dense_2.b"])
        return h @ p["Net.dense_3.w"] + p["Net.dense_3.b"]

    def optimizer(self, parameters):
        return torch.optim.Adam(parameters, lr=1e-3)


class Cnn(Mlp):
    def weights(self, rng):
        return {**conv(rng, "Net.conv2d_1", 1, 32, 3), **conv(rng, "Net.conv2d_2", 32, 64, 3),
                **dense(rng, "Net.dense_1", 1600, 10)}

    def logits(self, p, h):
        h = h.view(-1, 1, 28, 28)
        for i in (1, 2):
            h = F.max_pool2d(F.relu(F.conv2d(h, p[f"Net.conv2d_{i}.w"], p[f"Net.conv2d_{i}.b"])), 2)
        return h.flatten(1) @ p["Net.dense_1.w"] + p["Net.dense_1.b"]


class Gpt:
    layers, heads, width, block = 4, 4, 128, 64
    clip = 1.0

    def __init__(self, rng):
        self.batches = rng.integers(0, 65, (STEPS, 12, self.block + 1), dtype=np.uint8)
        d, last = self.width, 0.02 / (2 * self.layers) ** 0.5
        self.p = {"Net.embed.table": rng.normal(0, 0.02, (65, d)), "Net.position.table": rng.normal(0, 0.02, (64, d))}
        for i in range(1, self.layers + 1):
            self.p |= {
                f"Net.block_{i}.layer_norm_1.scale": np.ones(d),
                f"Net.block_{i}.attention_1.w_qkv": rng.normal(0, 0.02, (d, 3 * d)),
                f"Net.block_{i}.attention_1.w_out": rng.normal(0, last, (d, d)),
                f"Net.block_{i}.layer_norm_2.scale": np.ones(d),
                f"Net.block_{i}.mlp_1.w_in": rng.normal(0, 0.02, (d, 4 * d)),
                f"Net.block_{i}.mlp_1.w_out": rng.normal(0, last, (4 * d, d)),
            }
        self.p["Net.layer_norm_1.scale"] = np.ones(d)

    def pair(self, batch):
        return batch[:, :-1].long(), batch[:, 1:].long()

    def logits(self, p, tokens):
        d = self.width
        h = p["Net.embed.table"][tokens] + p["Net.position.table"]
        for i in range(1, self.layers + 1):
            at = f"Net.block_{i}"
            normed = F.layer_norm(h, (d,), p[f"{at}.layer_norm_1.scale"])
            b, t, _ = normed.shape
            qkv = (normed @ p[f"{at}.attention_1.w_qkv"]).view(b, t, 3, self.heads, d // self.heads)
            y = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4), is_causal=True)
            h = h + y.transpose(1, 2).reshape(b, t, d) @ p[f"{at}.attention_1.w_out"]
            normed = F.layer_norm(h, (d,), p[f"{at}.layer_norm_2.scale"])
            h = h + F.gelu(normed @ p[f"{at}.mlp_1.w_in"], approximate="tanh") @ p[f"{at}.mlp_1.w_out"]
        return F.layer_norm(h, (d,), p["Net.layer_norm_1.scale"]) @ p["Net.embed.table"].T

    def optimizer(self, parameters):
        matrices = [p for p in parameters if p.dim() >= 2]
        others = [p for p in parameters if p.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))


def losses_of_torch(work, order):
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in work.p.items()}
    optimizer = work.optimizer(list(parameters.values()))
    losses = []
    for number in order:
        x, y = work.pair(torch.from_numpy(work.batches[number]))
        loss = F.cross_entropy(work.logits(parameters, x).flatten(0, -2), y.flatten())
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if hasattr(work, "clip"):
            torch.nn.utils.clip_grad_norm_(parameters.values(), work.clip)
        optimizer.step()
    return losses


def losses_of_tfm(tfm, name, folder):
    """The losses of the steps, and which batch each step took."""
    program = ROOT / "tests/agree" / f"{name}.tfm"
    command = [tfm, "train", program, "--start", folder / "weights.safetensors", "--runs", folder / "runs"]
    command += ["--threads", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TFM_DATA": str(folder)})
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nleft with status {done.returncode}:\n{done.stderr[-3000:]}")
    (log,) = (folder / "runs").rglob("metrics.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [row for row in rows if "loss" in row]
    return [row["loss"] for row in rows], [round(row["number"]) for row in rows]


def main():
    works = {"mlp": Mlp, "cnn": Cnn, "gpt": Gpt}
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("works", nargs="*", help="which of mlp, cnn, gpt (default: all)")
    options.add_argument("--tfm", help="the binary (default: the one in `target`)")
    options = options.parse_args()
    tfm = options.tfm or find_tfm()
    torch.set_num_threads(2)
    bad = False
    for name in options.works or works:
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            work = works[name](np.random.default_rng(1))
            work.p = {path: value.astype(np.float32) for path, value in work.p.items()}
            write_idx(folder / "batches.idx", work.batches)
            write_idx(folder / "numbers.idx", np.arange(STEPS, dtype=np.uint8))
            write_safetensors(folder / "weights.safetensors", work.p)
            ours, order = losses_of_tfm(tfm, name, folder)
        if sorted(order) != list(range(STEPS)):
            sys.exit(f"{name}: tfm took the batches {order}")
        theirs = losses_of_torch(work, order)
        apart = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
        agrees = apart <= LIMIT
        bad |= not agrees
        print(f"{name:4} torch {theirs[0]:.6f} -> {theirs[-1]:.6f}, tfm {ours[0]:.6f} -> {ours[-1]:.6f}, "
              f"largest relative difference {apart:.1e}: {'agrees' if agrees else 'DIFFERS'}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
