#!/usr/bin/env bash
# streets.sh FROM TO: draws streets of these seeds, counts their events with the default detector and tracker, and says
# where counts differ from what was drawn: ./dev env tests/tools/streets.sh 1 20
# What is drawn in the last ten frames may be told or not: a rule wants to see an object clear of the line.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
street=${FOVEA_BUILD:-$here/build}/samples/street
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
for seed in $(seq "$1" "$2"); do
  "$street" --seed "$seed" --events "$out/drawn.csv" |
    ffmpeg -v error -y -i - -c:v libx264 -preset ultrafast -crf 18 -pix_fmt yuv420p "$out/street.mp4"
  fovea annotate "$out/street.mp4" -o "$out/a.mp4" --events "$out/told.jsonl" --quiet \
    --rules "$here/samples/street_rules.yaml"
  python3 - "$seed" "$out/drawn.csv" "$out/told.jsonl" <<'PYTHON'
import collections, json, sys
seed, drawn_path, told_path = sys.argv[1:]
drawn, late, told = collections.Counter(), collections.Counter(), collections.Counter()
for line in open(drawn_path):
    frame, _, event, rule, direction = line.strip().split(",")
    (drawn if int(frame) < 590 else late)[f"{event} {rule} {direction}".strip()] += 1
for line in open(told_path):
    r = json.loads(line)
    if r["type"] == "event" and r["event"] in ("cross", "enter", "leave"):
        told[f"{r['event']} {r['rule']} {r.get('direction') or ''}".strip()] += 1
wrong = [f"{k}: {told[k]} of {drawn[k]}" for k in sorted(drawn | told)
         if not drawn[k] <= told[k] <= drawn[k] + late[k]]
print(f"seed {seed}: {sum(drawn.values())} events, " + ("; ".join(wrong) if wrong else "all counted right"), flush=True)
PYTHON
done | tee "$out/all"
awk -F, '{ streets++; right += /all counted right/; split($1, w, " "); drawn += w[3]
           for (rest = $0; match(rest, /[0-9]+ of [0-9]+/); rest = substr(rest, RSTART + RLENGTH)) {
             split(substr(rest, RSTART, RLENGTH), n, " of ")
             if (n[1] > n[2]) more += n[1] - n[2]; else less += n[2] - n[1] } }
     END { printf "%d of %d streets counted right; %d events, %d missing, %d too many\n", right, streets, drawn, less, more }' "$out/all"
