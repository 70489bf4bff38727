"""Do the workloads of `tfm bench` compute what the peers compute?  Their first five losses on one batch, from the same weights.

    python tests/agree_workloads.py --peers DIR [--tfm target/release/tfm] [mlp cnn resnet20 lstm gpt gpt_mid recsys]

DIR is the folder of `peer_torch.py`, also named by TFM_PEERS. The peer writes its weights and a batch and trains five
steps on it without dropout; `tfm bench --losses 5 --from` does the same from the same numbers. No loss may differ by more
than 1e-4 of itself (3e-3 for resnet20: batch norm at this rate magnifies rounding, and PyTorch differs from itself by
2e-4 between one thread and two). Weights are matched by their order, which is that of the layers in both.
Without PyTorch, numpy or the peers it says so and leaves with status 0; with a disagreement the status is 1.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "torch"))
from harness import find_tfm, np, write_safetensors  # noqa: E402  (it says so where there is no PyTorch)

STEPS = 5
LIMIT = {"resnet20": 3e-3}
# The fields of each workload, in the order of the peer's batch.
FIELDS = {"recsys": ("category", "dense", "clicked")}
TABLES, ROWS = 26, 100_000
# Rows that are looked up lie as they are; matrices that multiply are [out, in] there and [in, out] here.
LOOKED_UP = ("emb.weight", "wte.weight", "wpe.weight", "tables.weight")


def variables(work):
    """Our parameters in the order of the layers: those of the peer, in its order."""
    linear = lambda path, n: [f"{path}.linear_{i}.{p}" for i in range(1, n + 1) for p in "wb"]  # noqa: E731
    if work == "mlp":
        return linear("Net", 3)
    if work == "cnn":
        return [f"Net.conv_{i}.{p}" for i in (1, 2) for p in "wb"] + linear("Net", 1)
    if work == "resnet20":
        conv_bn = lambda path, i: [f"{path}.conv_{i}.w", f"{path}.batch_norm_{i}.scale",  # noqa: E731
                                   f"{path}.batch_norm_{i}.shift"]
        out = conv_bn("Net", 1)
        for stage in (1, 2, 3):
            for block in (1, 2, 3):
                path = f"Net.stage_{stage}.basic_{block}"
                out += conv_bn(path, 1) + conv_bn(path, 2)
                if stage > 1 and block == 1:
                    out += conv_bn(path, 3)
        return out + linear("Net", 1)
    if work == "lstm":
        return (["Net.embedding_1.table"] + [f"Net.lstm_{i}.{p}" for i in (1, 2) for p in ("w_x", "w_h", "b")]
                + ["Net.w", "Net.b"])
    if work in ("gpt", "gpt_mid"):
        out = ["Net.embed.table", "Net.position.table"]
        for i in range(1, (4 if work == "gpt" else 6) + 1):
            block = f"Net.block_{i}"
            out += [f"{block}.layer_norm_1.scale", f"{block}.attend_1.w_qkv", f"{block}.attend_1.w_out",
                    f"{block}.layer_norm_2.scale", f"{block}.mlp_1.w_in", f"{block}.mlp_1.w_out"]
        return out + ["Net.layer_norm_1.scale"]
    if work == "recsys":
        return ["Net.table"] + linear("Net", 5)
    raise SystemExit(f"there is no workload {work}")


def converted(work, file):
    """What the peer wrote, under our names and in our layout."""
    with np.load(file) as saved:
        weights = [(name[2:], saved[name]) for name in saved.files if name.startswith("p:")]
        batch = [saved[name] for name in saved.files if name.startswith("x:")]
    ours = variables(work)
    if len(ours) != len(weights):
        raise SystemExit(f"{work}: {len(weights)} weights of the peer, {len(ours)} of ours")
    out = {}
    for path, (name, value) in zip(ours, weights):
        turned = value.ndim == 2 and name not in LOOKED_UP
        out[path] = np.ascontiguousarray(value.T if turned else value)
    for field, value in zip(FIELDS.get(work, ("x", "y")), batch):
        if field == "category":
            value = value - np.arange(TABLES) * ROWS  # the peer counts rows through all tables
        if work == "lstm":
            value = value[None]  # a record is a whole batch
        value = value if value.dtype == np.float32 else value.astype(np.int32)
        out[f"batch.{field}"] = np.ascontiguousarray(value)
    return out


def last_line(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])["losses"]


def main():
    everything = ["mlp", "cnn", "resnet20", "lstm", "gpt", "gpt_mid", "recsys"]
    p = argparse.ArgumentParser()
    p.add_argument("--peers", default=os.environ.get("TFM_PEERS"), type=Path)
    p.add_argument("--tfm")
    p.add_argument("works", nargs="*", default=everything)
    args = p.parse_args()
    if args.peers is None or not (args.peers / "peer_torch.py").exists():
        print("skipped: no folder with peer_torch.py (--peers DIR, or TFM_PEERS)")
        return 0
    tfm, bad = args.tfm or find_tfm(), 0
    for work in args.works:
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            theirs = last_line([sys.executable, args.peers / "peer_torch.py", "--work", work, "--mode", "eager", "--losses",
                                STEPS, "--threads", "2", "--no-dropout", "--save-npz", folder / "start.npz"])
            write_safetensors(folder / "start.safetensors", converted(work, folder / "start.npz"))
            without_dropout = ["--set", "drop=0"] if work == "cnn" else []
            ours = last_line([tfm, "bench", "--work", work, "--threads", "2", "--losses", STEPS, "--from",
                              folder / "start.safetensors", *without_dropout])
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
        good = worst <= LIMIT.get(work, 1e-4)
        bad += not good
        print(f"{work:9} largest relative difference of {STEPS} losses {worst:.1e}  {'ok' if good else 'DIFFERS'}", flush=True)
        if not good:
            print("  ours  ", ours, "\n  theirs", theirs)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
