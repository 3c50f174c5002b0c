#!/usr/bin/env bash
# headers.sh INCLUDE
# Proves: each header of brine/loop compiles by itself with warnings as errors, as C11 with POSIX and as C++17, where its
# library is installed.
set -euo pipefail
include=$1
declare -A packages=([uv]=libuv [sd_event]=libsystemd [glib]=glib-2.0)
count=0

# try HEADER COMPILER...
try() {
	count=$((count + 1))
	echo "#include <brine/loop/$1.h>" | "${@:2}" -Wall -Wextra -Werror -fsyntax-only -I "$include" -
}
for path in "$include"/brine/loop/*.h; do
	header=$(basename "$path" .h)
	[ "$header" != target ] || continue # by way of the others
	package=${packages[$header]:-}
	if [ -n "$package" ]; then
		flags=$(pkg-config --cflags "$package" 2>/dev/null) || { echo "skipped: $header.h: no $package"; continue; }
	else
		flags=''
		echo "#include <$header.h>" | cc -fsyntax-only -x c - 2>/dev/null || { echo "skipped: $header.h: no $header.h"; continue; }
	fi
	for compiler in gcc clang; do
		! command -v $compiler >/dev/null || try "$header" $compiler -std=c11 -D_POSIX_C_SOURCE=200809L -x c $flags
	done
	for compiler in g++ clang++; do
		! command -v $compiler >/dev/null || try "$header" $compiler -std=c++17 -x c++ $flags
	done
done
[ $count -gt 0 ] || { echo 'skipped: none of the libraries is installed'; exit 77; }
echo "$count compilations"
