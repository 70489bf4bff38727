"""Do the examples compute what PyTorch computes?  The losses of 10 steps of four, from the same weights and batches.

    python tests/agree_examples.py [--tfm target/release/tfm] [08_unet 09_vit 10_gru 11_ddpm]

Each net stands here once more, made of PyTorch's own modules under the names that tfm gives them, so that their weights
are those tfm starts from. An example is taken as it is, but for the lines that fetch data and draw noise: those read
what this script draws. No loss may differ by more than 1e-4 of itself.
Without PyTorch or numpy it says so and leaves with status 0; with a disagreement the status is 1.
"""
import argparse
import io
import math
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "torch"))
from harness import ROOT, Failed, find_tfm, np, torch, trained  # noqa: E402  (it says so where there is no PyTorch)

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

STEPS, BATCH, LIMIT = 10, 8, 1e-4
# Where an input of `relu` or two of a max pool differ by less than f32 rounds, the two sides may take different branches, and
# from there on lie some 1e-4 apart, as PyTorch in f32 and f64 do. With some seeds it happens to the U-Net, with this not.
SEED = 3
RECORDS = STEPS * BATCH

# What tfm calls the weights of PyTorch's modules. A matrix that PyTorch multiplies from the left is transposed.
NAMES = {
    nn.Conv2d: {"weight": "w", "bias": "b"},
    nn.Linear: {"weight": "w", "bias": "b"},
    nn.Embedding: {"weight": "table"},
    nn.GroupNorm: {"weight": "scale", "bias": "shift"},
    nn.LayerNorm: {"weight": "scale", "bias": "shift"},
    nn.GRU: {"weight_ih_l0": "w", "weight_hh_l0": "u", "bias_ih_l0": "b", "bias_hh_l0": "c"},
}


def exported(net, name):
    """The weights of a net by the paths of tfm."""
    out = {}
    for path, module in net.named_modules():
        for kind, p in module.named_parameters(recurse=False):
            turned = isinstance(module, (nn.Linear, nn.GRU)) and p.dim() == 2
            value = p.detach().T if turned else p.detach()
            ours = NAMES.get(type(module), {}).get(kind, kind)
            out[".".join(filter(None, [name, path, ours]))] = np.ascontiguousarray(value.numpy())
    return out


def conv(inputs, outputs, kernel=3, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


def adam_with(parameters, lr):
    return torch.optim.Adam(parameters, lr=lr)


class Double(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.conv2d_1, self.group_norm_1 = conv(inputs, channels), nn.GroupNorm(4, channels)
        self.conv2d_2, self.group_norm_2 = conv(channels, channels), nn.GroupNorm(4, channels)

    def forward(self, x):
        x = F.relu(self.group_norm_1(self.conv2d_1(x)))
        return F.relu(self.group_norm_2(self.conv2d_2(x)))


class Up(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.conv2d_1, self.double_1 = conv(inputs, channels), Double(2 * channels, channels)

    def forward(self, x, skip):
        return self.double_1(torch.cat([skip, self.conv2d_1(F.interpolate(x, scale_factor=2))], 1))


class UNet(nn.Module):
    columns = {"image": "u8[1, 28, 28]", "noise": "f32[1, 28, 28]"}
    replaced = {"random_normal(shape(image))": "noise"}

    def __init__(self):
        super().__init__()
        self.double_1, self.double_2, self.double_3 = Double(1, 8), Double(8, 16), Double(16, 32)
        self.up_1, self.up_2, self.conv2d_1 = Up(32, 16), Up(16, 8), conv(8, 1, 1)

    def forward(self, x):
        fine = self.double_1(x)
        middle = self.double_2(F.max_pool2d(fine, 2))
        coarse = self.double_3(F.max_pool2d(middle, 2))
        return self.conv2d_1(self.up_2(self.up_1(coarse, middle), fine))

    def loss(self, image, noise):
        return F.binary_cross_entropy_with_logits(self(image / 255 + noise), (image >= 128).float())

    def optimizer(self):
        return adam_with(self.parameters(), 2e-3)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.w_qkv = nn.Parameter(torch.randn(width, 3 * width) / width**0.5)
        self.w_out = nn.Parameter(torch.randn(width, width) / width**0.5)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (x @ self.w_qkv).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d) @ self.w_out


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.layer_norm_1, self.attention_1 = nn.LayerNorm(width), Attention(width, heads)
        self.layer_norm_2 = nn.LayerNorm(width)
        self.dense_1, self.dense_2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        h = x + self.attention_1(self.layer_norm_1(x))
        return h + self.dense_2(F.gelu(self.dense_1(self.layer_norm_2(h)), approximate="tanh"))


class Places(nn.Module):
    def __init__(self, count, width):
        super().__init__()
        self.register_parameter("class", nn.Parameter(0.02 * torch.randn(1, 1, width)))
        self.place = nn.Parameter(0.02 * torch.randn(count + 1, width))

    def forward(self, x):
        front = getattr(self, "class").expand(len(x), -1, -1)
        return torch.cat([front, x], 1) + self.place


class Vit(nn.Module):
    columns = {"image": "u8[1, 28, 28]", "label": "label(10)"}
    replaced = {}
    clip, epochs, side = 1.0, 4, 7

    def __init__(self):
        super().__init__()
        self.dense_1, self.places_1 = nn.Linear(self.side**2, 64), Places((28 // self.side) ** 2, 64)
        self.block_1, self.block_2, self.block_3 = (Block(64, 4) for _ in range(3))
        self.layer_norm_1, self.dense_2 = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x):
        h = self.places_1(self.dense_1(F.unfold(x, self.side, stride=self.side).transpose(1, 2)))
        h = self.block_3(self.block_2(self.block_1(h)))
        return self.dense_2(self.layer_norm_1(h[:, 0]))

    def loss(self, image, label):
        return F.cross_entropy(self((image / 255 - 0.13) / 0.31), label)

    def optimizer(self):
        wide = [[p for p in self.parameters() if (p.dim() >= 2) == matrix] for matrix in (True, False)]
        return torch.optim.AdamW([{"params": wide[0], "weight_decay": 0.05}, {"params": wide[1], "weight_decay": 0.0}])

    def rate(self, step):
        return min(1, step / 50) * 1e-3 * 0.5 * (1 + math.cos(math.pi * (step - 1) / (self.epochs * STEPS)))


class LastWord(nn.Module):
    columns = {"tokens": "i32[20]", "end": "label(20)"}
    replaced = {}
    clip = 1.0

    def __init__(self):
        super().__init__()
        self.embedding_1, self.gru_1 = nn.Embedding(16, 16), nn.GRU(16, 32, batch_first=True)
        self.dense_1 = nn.Linear(32, 4)

    def loss(self, tokens, end):
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding_1(tokens), end + 1, True, enforce_sorted=False)
        _, last = self.gru_1(packed)
        heard = [[t for t in row[: n + 1] if t < 4] for row, n in zip(tokens.tolist(), end.tolist())]
        return F.cross_entropy(self.dense_1(last[0]), torch.tensor([said[-1] if said else 0 for said in heard]))

    def optimizer(self):
        return adam_with(self.parameters(), 5e-3)


class Timed(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.group_norm_1, self.conv2d_1 = nn.GroupNorm(4, inputs), conv(inputs, channels)
        self.dense_1 = nn.Linear(64, channels)
        self.group_norm_2, self.conv2d_2 = nn.GroupNorm(4, channels), conv(channels, channels)
        if inputs != channels:
            self.conv2d_3 = conv(inputs, channels, 1)

    def forward(self, x, time):
        told = self.conv2d_1(F.silu(self.group_norm_1(x))) + self.dense_1(time)[:, :, None, None]
        y = self.conv2d_2(F.silu(self.group_norm_2(told)))
        return y + (self.conv2d_3(x) if hasattr(self, "conv2d_3") else x)


class Noise(nn.Module):
    columns = {"image": "u8[1, 28, 28]", "noise": "f32[1, 14, 14]", "t": "label(100)"}
    replaced = {"  let t     = random_int([B], turns)\n": "", "  let noise = random_normal(shape(clear))\n": ""}
    clip = 1.0

    def __init__(self):
        super().__init__()
        self.dense_1, self.dense_2 = nn.Linear(32, 64), nn.Linear(64, 64)
        self.conv2d_1, self.timed_1 = conv(1, 16), Timed(16, 16)
        self.conv2d_2, self.timed_2, self.timed_3 = conv(16, 32, stride=2), Timed(32, 32), Timed(32, 32)
        self.conv2d_3, self.timed_4 = conv(32, 16), Timed(32, 16)
        self.group_norm_1, self.conv2d_4 = nn.GroupNorm(4, 16), conv(16, 1)

    def forward(self, x, t):
        angle = t[:, None] * torch.exp(-6 * torch.arange(16) / 16)
        time = F.silu(self.dense_2(F.silu(self.dense_1(torch.cat([angle.sin(), angle.cos()], 1)))))
        fine = self.timed_1(self.conv2d_1(x), time)
        coarse = self.timed_3(self.timed_2(self.conv2d_2(fine), time), time)
        both = torch.cat([fine, self.conv2d_3(F.interpolate(coarse, scale_factor=2))], 1)
        return self.conv2d_4(F.silu(self.group_norm_1(self.timed_4(both, time))))

    def loss(self, image, noise, t):
        left = torch.cumprod(1 - torch.linspace(1e-3, 0.12, 100), 0)[t][:, None, None, None]
        clear = F.avg_pool2d(image, 2) / 127.5 - 1
        return F.mse_loss(self(left.sqrt() * clear + (1 - left).sqrt() * noise, t), noise)

    def optimizer(self):
        return adam_with(self.parameters(), 2e-3)


WORKS = {"08_unet": UNet, "09_vit": Vit, "10_gru": LastWord, "11_ddpm": Noise}

# In which order tfm takes the records: an order is a function of the seed and the epoch. Two at a time, so that each step
# is logged, as the first hundred are; how the two of a pair stand does not matter.
ORDER = """
data batches = npy("batches.npz") { number: i32 }
layer Nothing()() { param p: f32[] = zeros() ; p }
optimizer Keep()(p: float[..S], g: float[..S], step: float[]) { p <- p - 0 * g }
train order on batches.all {
  let nothing = Nothing()
  let low     = min(f32(number))
  let high    = max(f32(number))
  minimize nothing() + low
  report low, high
  optimizer: Keep()
  batch: 2
  epochs: 1
  seed: 1
}
"""


def archive(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def drawn(column, rng):
    """An array of records for a column of this type."""
    kind, inside = re.fullmatch(r"(\w+)[\[(](.*)[\])]", column).groups()
    sizes = tuple(int(n) for n in inside.split(","))
    if kind == "f32":
        return rng.standard_normal((RECORDS, *sizes)).astype(np.float32)
    if kind == "label":
        return rng.integers(0, *sizes, RECORDS, np.int32)
    if kind == "i32":
        return rng.integers(0, 16, (RECORDS, *sizes), np.int32)
    # Squares of one grey: from noise nothing is learned, and Adam makes steps of what rounding left of the gradients.
    return rng.integers(0, 256, (RECORDS, 1, 7, 7), np.uint8).repeat(4, 2).repeat(4, 3)


def batches_of(tfm):
    """The records of each step."""
    with trained(tfm, ORDER, files={"batches.npz": archive(number=np.arange(RECORDS, dtype=np.int32))}) as run:
        order = [round(row[which]) for row in run.log if "loss" in row for which in ("low", "high")]
    if sorted(order) != list(range(RECORDS)):
        sys.exit(f"tfm took the records {order}")
    return np.reshape(order, (STEPS, BATCH))


def text_of(name, work):
    """The example, reading what this script drew."""
    text = (ROOT / "examples" / f"{name}.tfm").read_text()
    columns = "\n".join(f"  {column}: {kind}" for column, kind in work.columns.items())
    source = f'\\1npy("batches.npz", test: "batches.npz") {{\n{columns}\n}}\n'
    text, count = re.subn(r"^(data \w+ = )[^{\n]*(\{[^}]*\}[^\n]*)?\n", source, text, flags=re.M)
    assert count == 1, f"{name} has {count} lines of data"
    for old, new in work.replaced.items():
        assert text.count(old) == 1, f"{name} does not have once: {old}"
        text = text.replace(old, new)
    return text


def losses_of_torch(net, arrays, batches):
    optimizer, losses = net.optimizer(), []
    for step, batch in enumerate(batches, 1):
        columns = [torch.from_numpy(a[batch]) for a in arrays.values()]
        # Pixels are computed with, numbers of classes, places and turns are looked up.
        loss = net.loss(*(c.float() if c.dtype == torch.uint8 else c.long() if c.dtype == torch.int32 else c for c in columns))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if hasattr(net, "clip"):
            nn.utils.clip_grad_norm_(net.parameters(), net.clip)
        if hasattr(net, "rate"):
            for group in optimizer.param_groups:
                group["lr"] = net.rate(step)
        optimizer.step()
    return losses


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("works", nargs="*", help=f"which of {', '.join(WORKS)} (default: all)")
    options.add_argument("--tfm", help="the binary (default: the one in `target`)")
    options = options.parse_args()
    tfm = options.tfm or find_tfm()
    torch.set_num_threads(1)
    batches, bad = batches_of(tfm), False
    for name in options.works or WORKS:
        torch.manual_seed(SEED)
        net, rng = WORKS[name](), np.random.default_rng(SEED)
        with torch.no_grad():
            # Scales and shifts that are not 1 and 0, so that each counts.
            for p in net.parameters():
                p += 0.02 * torch.randn_like(p)
        arrays = {column: drawn(kind, rng) for column, kind in net.columns.items()}
        start, more = exported(net, type(net).__name__), ["--set", f"batch={BATCH}", "--max-steps", STEPS]
        try:
            with trained(tfm, text_of(name, net), start, {"batches.npz": archive(**arrays)}, more) as run:
                ours = [row["loss"] for row in run.log if "loss" in row]
        except Failed as error:
            sys.exit(f"{name}: {error}")
        theirs = losses_of_torch(net, arrays, batches)
        apart = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
        bad |= apart > LIMIT
        print(f"{name:8} torch {theirs[0]:.6f} -> {theirs[-1]:.6f}, tfm {ours[0]:.6f} -> {ours[-1]:.6f}, "
              f"largest relative difference {apart:.1e}: {'DIFFERS' if apart > LIMIT else 'agrees'}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
