#!/usr/bin/env bash
# bench.sh [--compare] [MODEL...]: `fovea bench` of every model. With --compare ONNX Runtime (CPU, two
# threads) takes turns with it, so that what disturbs one disturbs the other; the ratio is that of the
# lowest medians; beside it the processor time of a run, which other work on the machine changes less.
# Without it, at the end: how long cold and warm starts take, and the memory that is then resident.
# Needs `fovea` on the PATH; --compare needs node and npm.
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
  export ORT_FOLDER=${ORT_FOLDER:-$here/build/onnxruntime}
  [ -d "$ORT_FOLDER/node_modules/onnxruntime-node" ] && return
  mkdir -p "$ORT_FOLDER"
  npm install --prefix "$ORT_FOLDER" --ignore-scripts --no-audit --no-fund --silent onnxruntime-node >&2
}

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
echo "$processor, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg); $(fovea --version)"
# A start is from the file to the first result. Cold: no cache of ours and none of the driver's, so that
# every kernel is compiled and every shape measured. Resident memory is that of the warm start.
starts() {
  local cache json cold
  printf '%-24s %9s %9s %13s %10s %12s\n' model 'cold ms' 'warm ms' 'resident MiB' 'peak MiB' 'driver MiB'
  for m in "${models[@]}"; do
    cache=$(mktemp -d)
    json=$(XDG_CACHE_HOME=$cache fovea bench "$m" --runs 1 --total --json) || { rm -rf "$cache"; continue; }
    cold=$(number start_ms <<<"$json")
    json=$(XDG_CACHE_HOME=$cache fovea bench "$m" --runs 1 --total --json)
    rm -rf "$cache"
    printf '%-24s %9.0f %9.0f %13.0f %10.0f %12.0f\n' "$(basename "$m" .onnx)" "$cold" "$(number start_ms <<<"$json")" \
      "$(number resident_mib <<<"$json")" "$(number peak_mib <<<"$json")" "$(number driver_mib <<<"$json")"
  done
}

if ! $compare; then
  for m in "${models[@]}"; do
    fovea bench "$m" --runs "$runs" || true
    echo
  done
  starts
  exit
fi

install_ort
printf '%-24s %9s %9s %6s %12s %12s %6s %9s\n' model 'fovea ms' 'ort ms' ratio 'fovea cpu ms' 'ort cpu ms' ratio plan_ms
for m in "${models[@]}"; do
  ours='' theirs='' our_cpu='' their_cpu=''
  for ((r = 0; r < rounds; r++)); do
    json=$(fovea bench "$m" --runs "$runs" --total --json) || continue 2
    shape=$(sed -n 's/.*"shape":"\([0-9x]*\)","device.*/\1/p' <<<"$json")
    ours+=" $(number median_ms <<<"$json")" our_cpu+=" $(number cpu_ms <<<"$json")"
    read -r median cpu < <(node "$here/tests/tools/ort.mjs" "$m" "$runs" 2 "$shape")
    theirs+=" $median" their_cpu+=" $cpu"
  done
  plan=$(number plan_ms <<<"$json")
  awk -v name="$(basename "$m" .onnx)" -v a="$ours" -v b="$theirs" -v c="$our_cpu" -v d="$their_cpu" -v plan="$plan" '
    function lowest(text, v, n, i, low) { n = split(text, v, " "); low = v[1] + 0; for (i = 2; i <= n; i++) if (v[i] + 0 < low) low = v[i] + 0; return low }
    BEGIN { w = lowest(a); x = lowest(b); y = lowest(c); z = lowest(d)
            printf "%-24s %9.2f %9.2f %6.2f %12.2f %12.2f %6.2f %9.0f\n", name, w, x, w / x, y, z, y / z, plan }'
done
