#!/bin/sh
# The whole training in one command, on a built tree: draws the rendered scenes, trains, keeps the log for release.sh.
#     models/train/train.sh ../shared .train [OPTION OF train.py ...]
# Seeds are fixed: the same steps (39000 unless told) and threads give the same weights. Called again it goes on where it
# was broken off.
set -e
shared=$1 run=$2 here=models/train python=${PYTHON:-/usr/bin/python3}
shift 2
[ $# -gt 0 ] || set -- --steps 39000 --threads 1
mkdir -p "$run"
[ -f "$run/scenes/index.tsv" ] || $python $here/scenes.py build/samples/street "$run/scenes"
$python -u $here/train.py --data "$shared/train" --data "$run/scenes" --teacher "$shared/models/yolox_nano.onnx" \
  --out "$run" --eval "$shared/eval/coco64/images" "$shared/eval/coco64/labels" "$shared/models/coco.names" "$@" \
  >>"$run/train.log"
