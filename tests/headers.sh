#!/bin/sh
# Every installed header stands alone: it compiles with nothing before it.
cd "$(dirname "$0")/.." || exit 1
failed=0
for header in $(cat pipeline/*/meson.build plugins/meson.build | tr '\n' ' ' | grep -oE "install_headers\([^)]*\)" |
  sed -E "s/.*install_headers\(//; s/\)//" | awk -F"subdir: " '{
    split($2, s, "\047"); sub("fovea/", "", s[2]); n = split($1, names, "\047")
    for (i = 2; i <= n; i += 2) { sub(".*/", "", names[i]); print s[2] "/" names[i] } }'); do
  echo "#include \"$header\"" | "${CC:-cc}" -std=gnu17 -Wall -Wextra -Werror -fsyntax-only -I. \
    $(pkg-config --cflags gstreamer-1.0) -x c - || failed=1
  echo "ok $header"
done
exit $failed
