#!/usr/bin/env bash
# Proves: the tests of O02 call each public function at least as often as it has pointers, so that none is forgotten.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec awk '
# Declarations of headers, each on one line: return type, name and parameters.
FILENAME ~ /^include/ {
	sub(/\/\*.*\*\//, "")
	if (/^BRINE_API /) declaration = ""
	if (/^BRINE_API / || declaration != "") declaration = declaration " " $0
	if (declaration == "" || !/;$/) next
	match(declaration, /brine_[a-z_0-9]+\(/)
	name = substr(declaration, RSTART, RLENGTH - 1)
	parameters = substr(declaration, RSTART + RLENGTH)
	declaration = ""
	sub(/\) *BRINE_PRINTF\(.*/, "", parameters)
	gsub(/\(\*[a-z_]+\)\([^)]*\)/, "*", parameters)
	count = split(parameters, parts, ",")
	pointers[name] = 0
	for (i = 1; i <= count; i++)
		pointers[name] += parts[i] ~ /[*[]/ && parts[i] !~ /\*(error|user)[);]*$/
	functions++
	next
}
{
	line = $0
	while (match(line, /brine_[a-z_0-9]+\(/)) {
		calls[substr(line, RSTART, RLENGTH - 1)]++
		line = substr(line, RSTART + RLENGTH)
	}
}
END {
	for (name in pointers) {
		least = pointers[name] ? pointers[name] : 1
		total += pointers[name]
		if (calls[name] + 0 < least) {
			printf "%s: %d pointers, %d calls in the tests\n", name, pointers[name], calls[name] + 0
			bad = 1
		}
	}
	printf "%d functions, %d pointers\n", functions, total
	exit bad
}' include/brine/*.h tests/unit/test_null.c tests/e2e/test_null.c
