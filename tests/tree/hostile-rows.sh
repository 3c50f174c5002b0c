#!/usr/bin/env bash
# Proves: tests/hostile-rows.txt names, for each row it claims, a test that exists; and the parts that must be complete are.
# With --summary only says how many of the 211 rows are covered.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec awk -v summary="${1:-}" -F ' *[|] *' '
BEGIN {
	split("A:18 B:25 C:30 D:14 E:18 F:11 G:21 H:16 I:14 J:14 K:6 L:8 M:6 N:6 O:4", parts, " ")
	for (i = 1; i in parts; i++) {
		split(parts[i], part, ":")
		for (n = 1; n <= part[2]; n++) known[sprintf("%s%02d", part[1], n)] = 1
		total += part[2]
	}
}
/^#/ || /^$/ { next }
!($1 in known) { print FILENAME ":" FNR ": no such row: " $1; bad = 1; next }
$1 in seen { print FILENAME ":" FNR ": row twice: " $1; bad = 1; next }
$1 < last { print FILENAME ":" FNR ": rows are not in order: " $1; bad = 1 }
{ seen[$1] = 1; last = $1 }
$2 ~ /^n\/a/ { na++; next }
{
	covered++
	count = split($2, tests, " *; *")
	for (i = 1; i <= count; i++) {
		file = tests[i]; name = ""
		if (match(file, ": *")) { name = substr(file, RSTART + RLENGTH); file = substr(file, 1, RSTART - 1) }
		if ((getline line < file) < 0) { print FILENAME ":" FNR ": " $1 ": no such file: " file; bad = 1; continue }
		close(file)
		if (name != "") {
			command = "grep -qF -- \"" name "\" " file
			if (system(command) != 0) { print FILENAME ":" FNR ": " $1 ": no " name " in " file; bad = 1 }
		}
	}
}
END {
	for (id in known)
		if (!(id in seen) && (id ~ /^[ABJ]/ || (id >= "C01" && id <= "C18") || id == "C29")) missing = missing " " id
	printf "hostile rows: %d of %d covered by tests, %d not applicable\n", covered, total, na
	if (summary) exit 0
	if (missing) { print "rows that must be covered and are not:" missing; bad = 1 }
	exit bad
}' tests/hostile-rows.txt
