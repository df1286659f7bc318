#!/usr/bin/env bash
# ops.sh [--device D] [NAME...]: graphs of one op each (ops.py) through `fovea infer` and ONNX Runtime (parity.sh); exit 1
# when one differs by more than 1e-4. Needs `fovea` on the PATH (./dev env), python3-onnx, node and npm.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
device=()
[ "${1:-}" != --device ] || { device=(--device "$2"); shift 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-/usr/bin/python3}" "$here/tests/tools/ops.py" "$work" "$@"
bash "$here/tests/tools/parity.sh" "${device[@]}" "$work"/*.onnx
