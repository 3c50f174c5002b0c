#!/usr/bin/env bash
# install.sh BUILD-DIR SANITIZERS
# Proves: what `cmake --install` puts into a fresh prefix is enough to build a program with find_package() and
# brine_generate(), and with pkg-config and make's one line; and J05: a failed generation leaves the old files whole.
set -euo pipefail
build=$1
flags=${2:+-fsanitize=$2}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
quiet() { "$@" >"$dir/log" 2>&1 || { echo "failed: $*"; cat "$dir/log"; exit 1; }; }

quiet cmake --install "$build" --prefix "$dir/prefix"
lib=$(dirname "$(find "$dir/prefix" -name pkgconfig)")
export PKG_CONFIG_PATH=$lib/pkgconfig
cp -r "$here/consumer" "$dir/consumer"

quiet cmake -S "$dir/consumer" -B "$dir/cmake" -DCMAKE_PREFIX_PATH="$dir/prefix" -DCMAKE_C_FLAGS="$flags" -G Ninja
quiet cmake --build "$dir/cmake"
[ "$("$dir/cmake/consumer")" = '93 a3 61 64 64 02 03' ] || { echo "cmake's program printed something else"; exit 1; }

# An import that changes makes the C new; a schema that breaks fails the build and leaves the old C whole.
generated=$dir/cmake/brine/consumer/sums.brine.h
sed -i 's/string verb/string word/' "$dir/consumer/schemas/verbs.proto"
sed -i 's/\.verb /.word /' "$dir/consumer/main.c"
quiet cmake --build "$dir/cmake"
grep -q 'struct brine_str word' "${generated%sums*}verbs.brine.h" || { echo 'the import was not compiled again'; exit 1; }
cp "$generated" "$dir/before"
echo 'message Broken { int32 a = 999; }' >>"$dir/consumer/schemas/sums.proto"
! cmake --build "$dir/cmake" >"$dir/log" 2>&1 || { echo 'a broken schema was built'; exit 1; }
grep -q '^sums.proto:[0-9]*:[0-9]*: field "a" has number 999' "$dir/log" || { cat "$dir/log"; exit 1; }
cmp "$generated" "$dir/before"
[ -z "$(find "$dir/cmake/brine" -name '*.staging')" ] || { echo 'files were left over'; exit 1; }

# A link in the place of an output is replaced, not followed.
sed -i '/Broken/d' "$dir/consumer/schemas/sums.proto"
echo untouched >"$dir/target"
ln -sf "$dir/target" "$generated"
touch "$dir/consumer/schemas/sums.proto"
quiet cmake --build "$dir/cmake"
[ "$(cat "$dir/target")" = untouched ] && [ ! -L "$generated" ] || { echo 'a link was followed'; exit 1; }

# A disk that is full half way, here a limit on the size of files: the old files stay.
before=$(cat "$generated" "${generated%h}c" | cksum)
set +e
(
	trap '' XFSZ
	ulimit -f 1
	cmake -DPROTOC="$(command -v protoc)" -DPLUGIN="$dir/prefix/bin/protoc-gen-brine" \
		"-DDIRS=$dir/consumer/schemas;$dir/prefix/share/brine/proto" -DNAME=sums.proto -DBASE=sums \
		-DOUT="${generated%/*}" -P "$lib/cmake/brine/BrineProtoc.cmake"
) >/dev/null 2>&1
status=$?
set -e
[ $status -ne 0 ] || { echo 'a full disk was not noticed'; exit 1; }
[ "$(cat "$generated" "${generated%h}c" | cksum)" = "$before" ] || { echo 'a full disk broke the old files'; exit 1; }

# The same without CMake.
cd "$dir/consumer"
quiet env PATH="$dir/prefix/bin:$PATH" protoc --brine_out=. -I schemas \
	-I "$(pkg-config --variable=protodir brine)" schemas/sums.proto schemas/verbs.proto
quiet cc $flags -I. $(pkg-config --cflags brine) -o consumer main.c sums.brine.c verbs.brine.c \
	$(pkg-config --libs --static brine) "-Wl,-rpath,$(pkg-config --variable=libdir brine)"
[ "$(./consumer)" = '93 a3 61 64 64 02 03' ] || { echo "pkg-config's program printed something else"; exit 1; }
[ -f "$(pkg-config --variable=protodir brine)/brine/options.proto" ] || { echo 'brine/options.proto is missing'; exit 1; }
echo 'installed, and built both ways'
