#!/usr/bin/env bash
# Proves: the name of a file-local function is the name of no other function, no function has more than 60 lines, no file
# more than 600. functions.sh [TREE [EXEMPT]]: another tree, another list of folders with doubled names.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}"

# Folders whose names may be those of other folders, too. The list only shrinks: a folder in it without any fails.
exempt=(src/run src/dispatch src/client src/server src/text)

shopt -s nullglob
files=(src/*/*.[ch] tools/*.[ch] tools/*/*.[ch])
bad=0
awk -f "$here/facts.awk" "${files[@]}" | awk -v most=60 -v exempt="${2-${exempt[*]}}" -f "$here/functions.awk" || bad=1
wc -l "${files[@]}" include/brine/*.h include/brine/*/*.h |
	awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines, at most 600"; bad = 1 } END { exit bad }' || bad=1
exit $bad
