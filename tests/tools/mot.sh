#!/usr/bin/env bash
# mot.sh FOLDER: the three trackers with their defaults on MOTChallenge sequences, by fovea track and fovea eval mot: the
# second halves of FOLDER/MOT17-* (detections det/yolox_x_ablation.txt), and TUD whole: ./dev env tests/tools/mot.sh ../shared/mot
set -euo pipefail
mot=${1:?which folder has MOT17-04 and the others?}
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
for method in sort bytetrack ocsort; do
  mkdir -p "$out/$method/17" "$out/$method/tud"
  for sequence in "$mot"/MOT17-*/ "$mot"/TUD-*/; do
    name=$(basename "$sequence")
    case $name in
      MOT17-*) fovea track --det "$sequence/det/yolox_x_ablation.txt" --frames second-half --method $method \
                 -o "$out/$method/17/$name.txt" ;;
      *) fovea track --det "$sequence/det/det.txt" --fps 25 --method $method -o "$out/$method/tud/$name.txt" ;;
    esac
  done
  echo "== $method"
  fovea eval mot --gt "$mot" --result "$out/$method/17"/*.txt --frames second-half
  fovea eval mot --gt "$mot" --result "$out/$method/tud"/*.txt | tail -n +2
done
