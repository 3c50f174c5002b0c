#!/usr/bin/env bash
# experiment.sh EXPERIMENT
# Proves: what is printed to streams of text, or sent as structs, arrives far sooner than the pause that a buffered socket
# holds it back for; two buffered sides of sockets wait for each other for ever, those of streams of text never do.
set -euo pipefail
# Seconds against milliseconds: a busy machine takes its time.
out=$("$1" 1500)
echo "$out"
awk '
function bad(why) { print "not as expected: " why ": " $0; failed = 1 }
/^Two programs/ { questions = 1 }
!questions && /^[a-e]  / {
	rows++
	held = $(NF - 2) >= 1400 && $(NF - 1) >= 1400
	prompt = $(NF - 2) < 750 && $(NF - 1) < 750
	if ($1 == "a" ? !held : !prompt) bad("spam and eggs")
	if ($NF < 0 || $NF >= 750) bad("ham")
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
}' <<<"$out"
