#!/bin/sh
# Draws the sample clip again: samples/street.mp4, its boxes and its events. Of the streets 1 to 79 this is the one
# in which whoever crosses a line is seen best while doing so. Needs ./dev build and ffmpeg.
set -e
cd "$(dirname "$0")"
../build/samples/street --seed 18 --truth street_boxes.csv --events street_events.csv |
  ffmpeg -v error -y -i - -c:v libx264 -preset veryslow -crf 24 -pix_fmt yuv420p -movflags +faststart street.mp4
