#!/usr/bin/env bash
# families.sh [NAME...]: detectors of many projects' export forms with random weights (families.py): `fovea model` must
# recognise each, and `fovea infer` must agree with ONNX Runtime (parity.sh). Exit 1 when one fails. Needs `fovea` on the
# PATH (./dev env), python3-torch, python3-onnx, node and npm.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
"${PYTHON:-/usr/bin/python3}" "$here/tests/tools/families.py" "$work" "$@" >/dev/null
while read -r name family; do
  seen=$(fovea model "$work/$name.onnx" 2>&1 | sed -n 's/^head *\([^ ]*\).*/\1/p')
  [ "$seen" = "$family" ] || { echo "$name: recognised as '$seen', not '$family'"; failed=1; }
done <"$work/families.txt"
bash "$here/tests/tools/parity.sh" "$work"/*.onnx || failed=1
exit $failed
