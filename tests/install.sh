#!/bin/sh
# What `meson install` lays down is enough for a stranger: a C program built through pkg-config finds
# objects on a picture of the default detector's kind, GStreamer finds the elements, and an element of one's own
# reads what they know.
set -e
build=$1
source=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet
pc=$(find "$root" -name fovea.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$root"
libdir=$root$(PKG_CONFIG_SYSROOT_DIR= pkg-config --variable=libdir fovea)
cc "$source/samples/detect_image.c" -o "$root/detect_image" $(pkg-config --cflags --libs fovea)
cc "$source/samples/read_records.c" -o "$root/read_records" $(pkg-config --cflags --libs fovea) \
  $(PKG_CONFIG_SYSROOT_DIR= pkg-config --cflags --libs gstreamer-base-1.0)
export LD_LIBRARY_PATH="$libdir" FOVEA_DATA="$root$prefix/share/fovea"
for file in models/street.onnx models/street.yaml config/annotate.yaml samples/street.mp4; do
  test -s "$root$prefix/share/fovea/$file"
done
"$root$prefix/bin/fovea" --version
GST_PLUGIN_PATH=$libdir/gstreamer-1.0 GST_REGISTRY=$root/registry gst-inspect-1.0 fovea | grep fvdetect
ffmpeg -v error -ss 3 -i "$source/samples/street.mp4" -frames:v 1 "$root/frame.ppm"
"$root/detect_image" "$FOVEA_DATA/models/street.onnx" "$root/frame.ppm" | tee "$root/found"
grep -q person "$root/found"
ffmpeg -v error -t 1 -i "$source/samples/street.mp4" -c copy "$root/second.mp4"
GST_PLUGIN_PATH=$libdir/gstreamer-1.0 GST_REGISTRY=$root/registry "$root/read_records" "$root/second.mp4" \
  "$source/samples/street_rules.yaml" >"$root/records"
grep -q '"type":"frame".*"label":"person"' "$root/records"
echo "1 passed, 0 failed"
