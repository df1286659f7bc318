#!/bin/sh
# What `meson install` lays down is enough for a stranger: a C program built through pkg-config finds
# objects on a picture of the default detector's kind, and GStreamer finds the elements.
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
export LD_LIBRARY_PATH="$libdir" FOVEA_DATA="$root$prefix/share/fovea"
for file in models/street.onnx models/street.yaml config/annotate.yaml samples/street.mp4; do
  test -s "$root$prefix/share/fovea/$file"
done
"$root$prefix/bin/fovea" --version
GST_PLUGIN_PATH=$libdir/gstreamer-1.0 GST_REGISTRY=$root/registry gst-inspect-1.0 fovea | grep fvdetect
ffmpeg -v error -ss 3 -i "$source/samples/street.mp4" -frames:v 1 "$root/frame.ppm"
"$root/detect_image" "$FOVEA_DATA/models/street.onnx" "$root/frame.ppm" | tee "$root/found"
grep -q person "$root/found"
echo "1 passed, 0 failed"
