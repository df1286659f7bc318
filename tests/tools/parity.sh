#!/usr/bin/env bash
# parity.sh [--device D] [--size N] [--in FILE.npy] [MODEL...]: max|a-b| / max|ref| of `fovea infer` against ONNX Runtime on
# the CPU, a line a model; exit 1 when one is above 1e-4. Needs `fovea` on the PATH (./dev env), node and npm.
# The first input takes FILE.npy (float32, of its shape) or made-up values.
# ORT_FOLDER names a folder whose node_modules has onnxruntime-node; without it one is made in build/.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
device="" size=320 picture=""
while [[ ${1:-} == --* ]]; do
  case $1 in
    --device) device=$2 ;;
    --size) size=$2 ;;
    --in) picture=$2 ;;
    *) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
models=("$@")
if [ ${#models[@]} -eq 0 ]; then
  shopt -s nullglob
  models=("$here"/models/*.onnx "${FOVEA_SHARED:-$here/../shared}"/models/*.onnx)
fi

export ORT_FOLDER=${ORT_FOLDER:-$here/build/onnxruntime}
if [ ! -d "$ORT_FOLDER/node_modules/onnxruntime-node" ]; then
  mkdir -p "$ORT_FOLDER"
  npm install --prefix "$ORT_FOLDER" --ignore-scripts --no-audit --no-fund --silent onnxruntime-node >&2
fi

exec node "$here/tests/tools/parity.mjs" "$size" "$device" "$picture" "${models[@]}"
