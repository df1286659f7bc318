#!/usr/bin/env bash
# bench.sh [--compare] [MODEL...]: `fovea bench` of every model. With --compare ONNX Runtime (CPU, two
# threads) takes turns with it, so that what disturbs one disturbs the other; the ratio is that of the
# lowest medians. Needs `fovea` on the PATH; --compare needs node and npm.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${ROUNDS:-3} runs=${RUNS:-15}

compare=false
[ "${1:-}" != --compare ] || { compare=true; shift; }
models=("$@")
if [ ${#models[@]} -eq 0 ]; then
  shopt -s nullglob
  models=("$here"/models/*.onnx "${FOVEA_SHARED:-$here/../shared}"/models/*.onnx)
fi

number() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; }

install_ort() {
  export ORT_FOLDER=$here/build/onnxruntime
  [ -d "$ORT_FOLDER/node_modules/onnxruntime-node" ] && return
  mkdir -p "$ORT_FOLDER"
  npm install --prefix "$ORT_FOLDER" --ignore-scripts --no-audit --no-fund --silent onnxruntime-node >&2
}

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
echo "$processor, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg); $(fovea --version)"
if ! $compare; then
  for m in "${models[@]}"; do
    fovea bench "$m" --runs "$runs" || true
    echo
  done
  exit
fi

install_ort
printf '%-24s %10s %10s %7s %10s %9s\n' model 'fovea ms' 'ort ms' ratio GFLOP/s plan_ms
for m in "${models[@]}"; do
  ours='' theirs=''
  for ((r = 0; r < rounds; r++)); do
    json=$(fovea bench "$m" --runs "$runs" --total --json) || continue 2
    ours+=" $(number median_ms <<<"$json")"
    theirs+=" $(node "$here/tests/tools/ort.mjs" "$m" "$runs" 2 | cut -d' ' -f1)"
  done
  macs=$(number gmacs <<<"$json") plan=$(number plan_ms <<<"$json")
  awk -v name="$(basename "$m" .onnx)" -v a="$ours" -v b="$theirs" -v macs="$macs" -v plan="$plan" '
    function lowest(text, v, n, i, low) { n = split(text, v, " "); low = v[1]; for (i = 2; i <= n; i++) if (v[i] + 0 < low + 0) low = v[i]; return low + 0 }
    BEGIN { x = lowest(a); y = lowest(b); printf "%-24s %10.2f %10.2f %7.2f %10.1f %9.0f\n", name, x, y, x / y, 2e3 * macs / x, plan }'
done
