#!/usr/bin/env bash
# Proves: the simulator finds each mistake of mutants/*.patch within 1,000 seeds, and none where there is none.
#   mutants.sh WORK COMPILER FLAG... -- OBJECT-OR-LIBRARY...
# Each patch is applied to a copy of the one file of src/conn that it changes. The copy is compiled alone and takes the
# place of the original in the library.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
seeds=1000 least=18

work=$1 compile=()
shift
while [ "$1" != -- ]; do
	compile+=("$1")
	shift
done
shift
link=("$@")

# build NAME FILE: compiles the copy of src/conn/FILE in the folder NAME and links the simulator with it.
build() {
	"${compile[@]}" -w "-I$root/src" "-I$root/include" -c "$work/$1/src/conn/$2" -o "$work/$1/mutant.o" &&
		"${compile[@]}" "$work/$1/mutant.o" "${link[@]}" -o "$work/$1/sim"
}

# try NAME: one line with the verdict; fails where the mistake of NAME.patch is not found.
try() {
	local name=$1 file line status=0
	file=$(sed -nE 's|^\+\+\+ b/src/conn/([a-z_]+\.c)$|\1|p' "$here/mutants/$name.patch")
	mkdir -p "$work/$name/src/conn"
	cp "$root/src/conn/$file" "$work/$name/src/conn/" || { echo "$name: names no file of src/conn"; return 1; }
	patch -s --fuzz=0 -p1 -d "$work/$name" <"$here/mutants/$name.patch" || { echo "$name: does not apply"; return 1; }
	build "$name" "$file" || { echo "$name: does not compile"; return 1; }
	"$work/$name/sim" --seeds "$seeds" >"$work/$name/output" 2>&1 || status=$?
	# Found is what the simulator itself saw: a crash or a count that stayed zero would be luck.
	if [ "$status" = 1 ] && line=$(grep -m 1 '^seed [0-9]*: ' "$work/$name/output"); then
		echo "$name: $line"
	else
		echo "$name: not found (exit status $status)"
		tail -n 5 "$work/$name/output"
		return 1
	fi
}

# unchanged: the same build without a mistake passes.
unchanged() {
	mkdir -p "$work/unchanged/src/conn"
	cp "$root/src/conn/conn.c" "$work/unchanged/src/conn/"
	build unchanged conn.c && "$work/unchanged/sim" --seeds "$seeds" >/dev/null && return
	echo "without a mistake the simulator fails"
	return 1
}

rm -rf "$work"
mkdir -p "$work"
found=0 bad=0 processes=()
for patch in "$here"/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	[ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n || true
	{ try "$name" && touch "$work/$name/found"; } >"$work/$name.verdict" 2>&1 &
	processes+=($!)
done
unchanged || bad=1
wait "${processes[@]}" || true
for patch in "$here"/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	cat "$work/$name.verdict"
	if [ -e "$work/$name/found" ]; then found=$((found + 1)); else bad=1; fi
done
echo "$found mistakes found"
[ "$bad" = 0 ] && [ "$found" -ge "$least" ]
