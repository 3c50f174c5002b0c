#!/usr/bin/env bash
# Proves: no files inside a folder of src include or use each other in a circle, and no folder uses what a later one
# defines. circles.sh [TREE [EXEMPT]]: another tree, another list of folders that have circles still.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}"

# Folders that have circles still. The list only shrinks: a folder in it that has none fails.
exempt=(
	dispatch # requests, their streams and their replies
	client   # its files share one struct
	server   # so do these
	text # connect.c and service.c
)

# The layers in order, as they are built.
layers=$(sed -nE 's/^set\(BRINE_LAYERS (.*)\)/\1/p' CMakeLists.txt)
allowed='compiler: base compiler'
below=
for layer in $layers; do
	below="$below $layer"
	allowed="$allowed; $layer:$below"
done
awk -f "$here/facts.awk" src/*/*.[ch] | awk -v allowed="$allowed" -v exempt="${2-${exempt[*]}}" -f "$here/circles.awk"
