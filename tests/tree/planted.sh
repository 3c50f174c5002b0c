#!/usr/bin/env bash
# Proves: circles.sh and functions.sh find what is planted into a copy of the tree, and find nothing in the copy itself.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
bad=0

fresh() {
	rm -rf "$copy"/*
	cp -r CMakeLists.txt src include tools "$copy"
}

# finds WORDS CHECK ARGUMENTS...: the check fails in the copy, which is no longer as it was, and says the words.
finds() {
	local words=$1 check=$2 said
	shift 2
	if diff -rq src "$copy/src" >/dev/null && diff -rq tools "$copy/tools" >/dev/null && [ $# = 0 ]; then
		echo "nothing was planted for: $words"
		bad=1
	elif said=$("$here/$check" "$copy" "$@" 2>&1); then
		echo "$check does not find: $words"
		bad=1
	elif ! grep -qF -- "$words" <<<"$said"; then
		printf '%s finds something else than %s:\n%s\n' "$check" "$words" "$said"
		bad=1
	fi
	fresh
}

fresh
"$here/circles.sh" "$copy" && "$here/functions.sh" "$copy" || { echo 'the copy is not clean'; exit 1; }

# idmap.c uses alloc.h, escape.c uses utf8.c. Backwards: an include, a call, a table of functions, whatever header declares it.
sed -i '1i #include "base/idmap.h"' "$copy/src/base/alloc.h"
finds 'base/alloc -> base/idmap: src/base/alloc.h:1 includes base/idmap.h' circles.sh

printf 'int plant(void);\nint plant(void)\n{\n\treturn brine_escape("{", 1) != 0;\n}\n' >>"$copy/src/base/utf8.c"
finds 'plant() uses brine_escape' circles.sh

printf 'static void *const plant[] = {[1] = (void *)brine_escape};\n' >>"$copy/src/base/utf8.c"
finds 'uses brine_escape' circles.sh

printf 'int brine_escape(void); /* brine_escape() */\nint plant(void)\n{\n\treturn brine_clock_ms();\n}\n' >>"$copy/src/base/utf8.c"
finds 'base may not use brine_clock_ms, which net defines' circles.sh

printf 'int plant(void)\n{\n' >>"$copy/src/base/buf.c"
finds 'braces do not match' circles.sh
finds 'src/base has no circle any more' circles.sh base

printf 'static int move_to_front(void)\n{\n\treturn 0;\n}\n' >>"$copy/src/base/error.c"
finds 'move_to_front() is the name of several functions' functions.sh

printf 'int plant(void)\n{\n%s\treturn 0;\n}\n' "$(printf '\t\n%.0s' {1..58})" >>"$copy/src/base/error.c"
finds 'plant() has 61 lines' functions.sh

printf '\n%.0s' {1..600} >>"$copy/src/base/error.c"
finds "src/base/error.c: $(($(wc -l <"$copy/src/base/error.c"))) lines, at most 600" functions.sh
finds 'src/nothing has no doubled names any more' functions.sh src/nothing

# One that plants nothing is found out.
(finds 'anything' circles.sh >"$copy/said"; exit $bad) && { echo 'planting nothing is not noticed'; bad=1; }
exit $bad
