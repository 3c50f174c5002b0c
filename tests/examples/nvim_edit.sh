#!/usr/bin/env bash
# nvim_edit.sh PROGRAM
# Proves: the example drives a real Neovim, hears of its changes, is called back by it, and says what is wrong where there is
# none. Without nvim it says "skipped" and ends with 77, or fails where BRINE_PEERS_REQUIRED is set.
set -euo pipefail
program=$1
export NVIM_LOG_FILE=/dev/null
command -v nvim >/dev/null || {
	echo 'skipped: no nvim in PATH (apt-get install neovim)'
	[ -z "${BRINE_PEERS_REQUIRED:-}" ] || exit 1
	exit 77
}
same() {
	diff <(printf '%s\n' "$2") <(printf '%s\n' "$1") || { echo "the output is not as it should be: $3"; exit 1; }
}
same "$("$program")" 'lines 0 to 1 became 2: hello | world
lines 0 to 1 became 1: HELLO!
lines 1 to 2 became 1: WORLD!
HELLO!
WORLD!' 'the default'
same "$("$program" one)" 'lines 0 to 1 became 1: one
lines 0 to 1 became 1: ONE!
ONE!' 'one line'
status=0
output=$(PATH=/nonexistent "$program" 2>&1) || status=$?
[ "$status" -eq 1 ] || { echo "without nvim: status $status"; exit 1; }
case $output in
*'could not run nvim: No such file or directory; is it installed'*) ;;
*) echo "without nvim it says: $output"; exit 1 ;;
esac
