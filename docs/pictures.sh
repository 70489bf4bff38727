#!/usr/bin/env bash
# Makes the pictures of docs/pictures.md anew, with a `tfm` that is built and a Chromium without a window.
set -euo pipefail
cd "$(dirname "$0")/.."
tfm=$(realpath "${TFM:-target/release/tfm}")
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
to=$PWD/docs/pictures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$to"

# A photograph of a page: its address, the file, the window, and further flags.
photograph() {
    local url=$1 file=$2 size=$3
    shift 3
    "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1.5 \
        --user-data-dir="$work/profile-$RANDOM" --window-size="$size" --virtual-time-budget=3000 \
        --screenshot="$file" "$@" "$url" >/dev/null 2>&1
}

"$tfm" graph examples/02_mnist_convnet.tfm --format svg --output "$to/convnet.svg"
"$tfm" graph examples/09_vit.tfm --format html --output "$work/vit.html"
photograph "file://$work/vit.html" "$to/page.png" 1400,860
photograph "file://$work/vit.html" "$to/page-dark.png" 1400,860 --blink-settings=preferredColorScheme=0

# Curves and a confusion matrix of two short runs.
cat >"$work/digits.tfm" <<'END'
import std.layers.Dense
import std.losses.cross_entropy
import std.metrics.{accuracy, confusion_matrix}
import std.optim.Adam

const rate = 2e-3

data digits = drawn_digits(train: 2048, test: 512)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  image |> flatten |> Dense(64, relu) |> Dense(10)
}

train digits_net on digits.train {
  let logits = Net(f32(image) / 255)
  minimize cross_entropy(logits, label)
  report accuracy(logits, label), confusion_matrix(logits, label)
  optimizer: Adam(lr: rate)
  batch: 32
  steps: 240
  every 20 steps { evaluate digits.test }
}
END
cd "$work"
"$tfm" train digits.tfm --quiet --seed 1
"$tfm" train digits.tfm --quiet --seed 2 --set rate=5e-4
"$tfm" plot digits_net/001 digits_net/002 --svg "$to/curves.svg" --smooth 0.8
"$tfm" plot digits_net/001 --confusion --svg "$to/confusion.svg"
