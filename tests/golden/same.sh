#!/usr/bin/env bash
# same.sh PLUGIN
# Proves J12: the same schemas give the same bytes at another time, in another folder, locale and order of files, and with
# another layout of the address space.
set -euo pipefail
cd "$(dirname "$0")"
plugin=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# generate NAME FOLDER SCHEMAS...: in FOLDER, whose parent has a copy of the schemas
generate() {
	local name=$1 folder=$2
	shift 2
	mkdir -p "$out/$name"
	(cd "$folder" && protoc --plugin=protoc-gen-brine="$plugin" --brine_out="$out/$name" -I . -I "$protos" "$@")
}
protos=$(cd ../../proto && pwd)
mkdir -p "$out/elsewhere/a b"
cp -r ./*.proto sub "$out/elsewhere/a b"
touch -d '2001-01-01' "$out/elsewhere/a b"/*.proto

generate first . everything.proto sub/part.proto comments.proto names.proto
generate again . everything.proto sub/part.proto comments.proto names.proto
TZ=Asia/Tokyo LC_ALL=C generate moved "$out/elsewhere/a b" everything.proto sub/part.proto comments.proto names.proto
# A locale in which letters change case in another way, where there is one.
other=$(locale -a 2>/dev/null | grep -iE '^(tr_TR|az_AZ|C)\.utf-?8$' | sort -r | head -1)
LC_ALL=${other:-C} generate reordered . names.proto comments.proto sub/part.proto everything.proto
cat >"$out/fixed" <<EOF
#!/bin/sh
exec setarch -R "$plugin"
EOF
chmod +x "$out/fixed"
if setarch -R true 2>/dev/null; then
	plugin=$out/fixed
	generate layout . everything.proto sub/part.proto comments.proto names.proto
else
	echo "skipped: another address-space layout, for setarch may not change it here"
	generate layout . everything.proto sub/part.proto comments.proto names.proto
fi
for schema in everything sub/part comments names; do
	generate single . $schema.proto
done
for other in again moved reordered layout single; do
	diff -r "$out/first" "$out/$other"
done
[ "$(find "$out/first" -type f | wc -l)" -eq 8 ] || { echo 'not the 8 files that were to be compared'; exit 1; }
echo '5 runs compared with the first'
