#!/bin/sh
# Makes a checkpoint the shipped model: exports it, keeps the run's log and curve beside it, measures
# it and writes the figures into the card. Run from the top of the built tree:
#     models/train/release.sh .train ../shared
# (.train: what train.py --out wrote; ../shared: what card.py measures with.) The figures alone, again:
#     python3 models/train/card.py models/street.onnx --shared ../shared --write models/README.md
set -e
run=$1 shared=$2 here=models/train python=${PYTHON:-/usr/bin/python3}
$python $here/export.py "$run/last.pt" -o models/street.onnx --half
sed -e 's#"coco64"#"test"#' "$run/log.jsonl" >models/street.log.jsonl
sed -E -e "s#[^ ]*/(shared/|\.train)#\1#g; s#shared/#../shared/#g; s# --mirror [^ ]*##; s#^    coco64 #    test   #" \
  "$run/train.log" >models/street.log
$python $here/curve.py models/street.log.jsonl -o models/street.png
$python $here/card.py models/street.onnx --shared "$shared" --write models/README.md
