"""Do we compute what PyTorch computes?  The first 20 losses of three workloads, from the same weights and batches.

    python tests/agree_with_torch.py [--tfm target/release/tfm] [mlp cnn gpt]

The models of `tests/agree/*.tfm` stand here once more in PyTorch. Weights and one batch are drawn with a fixed seed
and written as files, both sides train 20 steps on that batch, and no loss may differ by more than 1e-4 of itself.
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

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed for {sys.executable}")
    sys.exit(0)

ROOT = Path(__file__).resolve().parent.parent
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


def images(rng, folder):
    """32 images of noise, each four times with labels of its own, so that the loss cannot come near 0, where a
    relative difference means nothing; as two idx files, and as tensors."""
    x = np.repeat(rng.integers(0, 256, (32, 28, 28), dtype=np.uint8), 4, axis=0)
    y = rng.integers(0, 10, 128, dtype=np.uint8)
    (folder / "images.idx").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *x.shape) + x.tobytes())
    (folder / "labels.idx").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, *y.shape) + y.tobytes())
    return (torch.from_numpy(x).float()[:, None] - 127.5) / 64, torch.from_numpy(y).long()


class Mlp:
    def __init__(self, rng, folder):
        self.x, self.y = images(rng, folder)
        self.p = {**dense(rng, "Net.dense_1", 784, 512), **dense(rng, "Net.dense_2", 512, 512)}
        self.p |= dense(rng, "Net.dense_3", 512, 10)

    def loss(self, p):
        h = self.x.flatten(1)
        h = F.relu(h @ p["Net.dense_1.w"] + p["Net.dense_1.b"])
        h = F.relu(h @ p["Net.dense_2.w"] + p["Net.dense_2.b"])
        return F.cross_entropy(h @ p["Net.dense_3.w"] + p["Net.dense_3.b"], self.y)

    def optimizer(self, parameters):
        return torch.optim.Adam(parameters, lr=1e-3)


class Cnn(Mlp):
    def __init__(self, rng, folder):
        self.x, self.y = images(rng, folder)
        self.p = {**conv(rng, "Net.conv2d_1", 1, 32, 3), **conv(rng, "Net.conv2d_2", 32, 64, 3)}
        self.p |= dense(rng, "Net.dense_1", 1600, 10)

    def loss(self, p):
        h = self.x
        for i in (1, 2):
            h = F.max_pool2d(F.relu(F.conv2d(h, p[f"Net.conv2d_{i}.w"], p[f"Net.conv2d_{i}.b"])), 2)
        return F.cross_entropy(h.flatten(1) @ p["Net.dense_1.w"] + p["Net.dense_1.b"], self.y)


class Gpt:
    layers, heads, width, block, batch, vocabulary = 4, 4, 128, 64, 12, 65
    clip = 1.0

    def __init__(self, rng, folder):
        # Characters are numbered in the order of Unicode, and all 65 occur.
        length = self.block + self.batch
        text = rng.permutation(np.concatenate([np.arange(65), rng.integers(0, 65, length - 65)]))
        (folder / "letters.txt").write_text("".join(chr(ord("0") + c) for c in text), encoding="utf-8")
        starts = range(self.batch)
        self.x = torch.from_numpy(np.stack([text[i : i + self.block] for i in starts]))
        self.y = torch.from_numpy(np.stack([text[i + 1 : i + self.block + 1] for i in starts]))

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

    def loss(self, p):
        d = self.width
        h = p["Net.embed.table"][self.x] + p["Net.position.table"]
        for i in range(1, self.layers + 1):
            at = f"Net.block_{i}"
            normed = F.layer_norm(h, (d,), p[f"{at}.layer_norm_1.scale"])
            b, t, _ = normed.shape
            qkv = (normed @ p[f"{at}.attention_1.w_qkv"]).view(b, t, 3, self.heads, d // self.heads)
            y = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4), is_causal=True)
            h = h + y.transpose(1, 2).reshape(b, t, d) @ p[f"{at}.attention_1.w_out"]
            normed = F.layer_norm(h, (d,), p[f"{at}.layer_norm_2.scale"])
            h = h + F.gelu(normed @ p[f"{at}.mlp_1.w_in"], approximate="tanh") @ p[f"{at}.mlp_1.w_out"]
        logits = F.layer_norm(h, (d,), p["Net.layer_norm_1.scale"]) @ p["Net.embed.table"].T
        return F.cross_entropy(logits.flatten(0, 1), self.y.flatten())

    def optimizer(self, parameters):
        matrices = [p for p in parameters if p.dim() >= 2]
        others = [p for p in parameters if p.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))


def write_safetensors(path, tensors):
    """The format: the header's length in eight bytes, the header as JSON, the numbers end to end."""
    header, at = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value).tobytes())


def losses_of_torch(work):
    parameters = {name: torch.from_numpy(value).requires_grad_() for name, value in work.p.items()}
    optimizer = work.optimizer(list(parameters.values()))
    losses = []
    for _ in range(STEPS):
        loss = work.loss(parameters)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if hasattr(work, "clip"):
            torch.nn.utils.clip_grad_norm_(parameters.values(), work.clip)
        optimizer.step()
    return losses


def losses_of_tfm(tfm, name, folder):
    program = ROOT / "tests/agree" / f"{name}.tfm"
    command = [tfm, "train", program, "--start", folder / "weights.safetensors", "--runs", folder / "runs"]
    command += ["--threads", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TFM_DATA": str(folder)})
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nleft with status {done.returncode}:\n{done.stderr[-3000:]}")
    (log,) = (folder / "runs").rglob("metrics.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row][:STEPS]


def find_tfm():
    for folder in ("release", "debug"):
        path = ROOT / "target" / folder / "tfm"
        if path.exists():
            return path
    sys.exit("there is no `tfm` in `target`: run `cargo build --release`, or say `--tfm PATH`")


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
            work = works[name](np.random.default_rng(1), folder)
            work.p = {path: value.astype(np.float32) for path, value in work.p.items()}
            write_safetensors(folder / "weights.safetensors", work.p)
            theirs, ours = losses_of_torch(work), losses_of_tfm(tfm, name, folder)
        if len(ours) != STEPS:
            sys.exit(f"{name}: tfm logged {len(ours)} losses, not {STEPS}")
        apart = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
        agrees = apart <= LIMIT
        bad |= not agrees
        print(f"{name:4} torch {theirs[0]:.6f} -> {theirs[-1]:.6f}, tfm {ours[0]:.6f} -> {ours[-1]:.6f}, "
              f"largest relative difference {apart:.1e}: {'agrees' if agrees else 'DIFFERS'}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
