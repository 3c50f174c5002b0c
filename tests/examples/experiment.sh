#!/usr/bin/env bash
# experiment.sh EXPERIMENT
# Proves: what is printed to streams of text, or sent as structs, arrives far sooner than the pause that a buffered socket
# holds it back for; two buffered sides of sockets wait for each other for ever, those of streams of text never do.
set -euo pipefail

# judge PAUSE-MS: whether what comes at once took less than half of the pause, and what is held back all of it.
judge() {
	awk -v pause="$1" '
	function bad(why) { print "not as expected: " why ": " $0; failed = 1 }
	/^Two programs/ { questions = 1 }
	!questions && /^[a-e]  / {
		rows++
		held = $(NF - 2) >= pause - 100 && $(NF - 1) >= pause - 100
		prompt = $(NF - 2) < pause / 2 && $(NF - 1) < pause / 2
		if ($1 == "a" ? !held : !prompt) bad("spam and eggs")
		if ($NF < 0 || $NF >= pause / 2) bad("ham")
	}
	questions && /^[a-d]  / {
		rows++
		waits = gsub(/for ever/, "&")
		if ($1 == "a" && waits != 2) bad("two buffered sides")
		if ($1 == "b" && waits != 1) bad("line buffered sides")
		if ($1 ~ /[cd]/ && waits != 0) bad("nobody should wait")
	}
	END {
		if (rows != 15) { print "not as expected: " rows " rows instead of 15"; failed = 1 }
		exit failed
	}'
}

# A busy machine takes its time: then the pause is longer.
for pause in 750 1500 3000; do
	out=$("$1" $pause)
	echo "$out"
	if judge $pause <<<"$out"; then
		exit 0
	fi
done
exit 1
