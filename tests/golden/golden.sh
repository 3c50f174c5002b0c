#!/usr/bin/env bash
# golden.sh PLUGIN            proves: the generated C is byte for byte what stands in expected/
# golden.sh PLUGIN update     writes it there
set -euo pipefail
cd "$(dirname "$0")"
plugin=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for schema in everything sub/part comments names pthread exchange; do
	protoc --plugin=protoc-gen-brine="$plugin" --brine_out="$out" -I . -I ../../proto "$schema.proto"
done
if [ "${2:-}" = update ]; then
	rm -rf expected
	cp -r "$out" expected
else
	diff -ru expected "$out"
	echo "$(find "$out" -type f | wc -l) files compared"
fi
