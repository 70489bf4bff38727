#!/usr/bin/env bash
# Packages the extension: `editors/vscode/package.sh` leaves `tensorform-VERSION.vsix` beside itself, which
# `code --install-extension` takes. It needs npm, and the network for the packages that package-lock.json names.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-fund --no-audit
cp ../../LICENSE-MIT LICENSE
trap 'rm -f LICENSE' EXIT
npx vsce package --no-dependencies
