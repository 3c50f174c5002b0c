#!/usr/bin/env bash
# Proves: the example client is content with the example server over a Unix socket and TCP, and the server ends in order.
# exchange.sh SERVER CLIENT
set -euo pipefail
work=$(mktemp -d)
server=''
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

"$1" "unix://$work/exchange.sock" tcp://127.0.0.1:0 >"$work/out" &
server=$!
for _ in $(seq 200); do
	[ "$(grep -c '^listening on' "$work/out")" = 2 ] && break
	sleep 0.05
done
sed -n 's/^listening on //p' "$work/out" | while read -r address; do
	"$2" "$address"
done
kill -TERM "$server"
wait "$server"
server=''
[ "$(grep -c 'hello from the example' "$work/out")" = 2 ]
