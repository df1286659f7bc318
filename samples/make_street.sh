#!/bin/sh
# Draws the sample clip again: samples/street.mp4, its boxes and its events. In this street whoever crosses a line is at least
# three quarters visible while doing so. Needs ./dev build and ffmpeg.
set -e
cd "$(dirname "$0")"
../build/samples/street --seed 52 --truth street_boxes.csv --events street_events.csv |
  ffmpeg -v error -y -i - -c:v libx264 -preset veryslow -crf 24 -pix_fmt yuv420p -movflags +faststart street.mp4
