#!/usr/bin/env bash
# bad.sh PLUGIN
# Proves: each rule for schemas is kept, and its error stands in the line that breaks it. Each bad/*.proto says in comments
#   // error: LINE: part of the text
# what must be reported, all of it and no more.
set -euo pipefail
cd "$(dirname "$0")/bad"
plugin=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0
checked=0
complain() { echo "$*"; failed=1; }

for schema in *.proto; do
	checked=$((checked + 1))
	status=0
	protoc --plugin=protoc-gen-brine="$plugin" --brine_out="$out" -I . -I ../../../proto "$schema" \
		>"$out/stdout" 2>"$out/stderr" || status=$?
	[ $status -eq 1 ] || complain "$schema: exit status $status, not 1"
	wanted=$(sed -nE 's|^.*// error: ([0-9]+): .*|\1|p' "$schema" | wc -l)
	[ "$wanted" -gt 0 ] || complain "$schema: expects nothing"
	got=$(grep -cE "^[^ ]*\.proto:[0-9]+:[0-9]+: |^protoc-gen-brine: " <(grep -v ': warning: ' "$out/stderr") || true)
	[ "$wanted" -eq "$got" ] || complain "$schema: $wanted errors expected, $got reported:"$'\n'"$(cat "$out/stderr")"
	while IFS= read -r line; do
		number=${line%%:*}
		text=${line#*: }
		grep -v ': warning: ' "$out/stderr" | grep -E "^[^ ]*\.proto:$number:[0-9]+: |^protoc-gen-brine: " | grep -qF -- "$text" ||
			complain "$schema: no error in line $number with: $text"$'\n'"$(cat "$out/stderr")"
	done < <(sed -nE 's|^.*// error: ([0-9]+: .*)$|\1|p' "$schema")
	[ -z "$(find "$out" -name '*.brine.*')" ] || complain "$schema: wrote files in spite of its errors"
	! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$out/stderr" || complain "$schema: control characters in the error"
done
[ $checked -gt 0 ] || complain 'nothing was checked: the test is broken'
echo "$checked schemas checked"
exit $failed
