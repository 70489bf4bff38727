#!/bin/sh
# Makes watch.png: the page of a watched run after an edit. Needs a built tfm (its path is the first argument, or the one
# of a release build), Chromium, curl, and about half a minute.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tfm=${1:-$here/../../target/release/tfm}
tfm=$(cd "$(dirname "$tfm")" && pwd)/$(basename "$tfm")
work=$(mktemp -d)
watching=
trap 'test -z "$watching" || kill "$watching" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
sed -e 's/epochs:    3/epochs:    60/' -e 's/drawn_digits()/drawn_digits(train: 4000, test: 1000)/' \
  "$here/../../examples/01_digits.tfm" > digits.tfm
"$tfm" watch digits.tfm --ui --json --events events.jsonl > /dev/null &
watching=$!
until grep -q '"evaluated"' events.jsonl 2>/dev/null; do sleep 0.2; done
sed -e 's/Conv2d(32, kernel: 3)/Conv2d(48, kernel: 3)/' -e 's/lr: 2e-3/lr: 1e-3/' digits.tfm > new.tfm && mv new.tfm digits.tfm
until [ "$(grep -c '"evaluated"' events.jsonl)" -ge "${EVALUATIONS:-4}" ]; do sleep 0.2; done
url=$(sed -n 's/.*page: \(http:[^"]*\).*/\1/p' events.jsonl | head -1)
"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
  --disable-component-update --disable-sync --user-data-dir="$work/profile" --hide-scrollbars --window-size=1200,820 \
  --timeout=4000 --screenshot="$here/watch.png" "$url" 2> /dev/null
ls -l "$here/watch.png"
