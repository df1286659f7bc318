#!/bin/sh
# same_tracks.sh PROGRAM... : all must print the same tracks.
set -e
first=$("$1")
printf '%s\n' "$first"
for program; do
  [ "$("$program")" = "$first" ] || { echo "other tracks: $program"; "$program"; exit 1; }
done
echo "$# builds, the same tracks"
