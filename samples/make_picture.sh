#!/bin/sh
# Makes samples/street.png, the picture of README.md, again: ./dev env samples/make_picture.sh
set -e
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
fovea annotate street.mp4 -o "$out/street.mp4" --rules street_rules.yaml --trails --quality 95 --quiet
ffmpeg -v error -y -i "$out/street.mp4" -vf "select='eq(n,150)+eq(n,395)',tile=2x1:padding=4" -frames:v 1 street.png
