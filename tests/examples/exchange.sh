#!/usr/bin/env bash
# Proves: the example clients are content with the example server over a Unix socket and TCP: calls, a stream, a loop of the
# program's own, calls back to the client; and the server ends in order.
# exchange.sh FOLDER-OF-THE-PROGRAMS
set -euo pipefail
work=$(mktemp -d)
server='' watch=''
cleanup() {
	for process in $server $watch; do kill -KILL "$process" 2>/dev/null || true; done
	rm -rf "$work"
}
trap cleanup EXIT
die() { echo "$*"; exit 1; }

"$1/exchange_server" "unix://$work/exchange.sock" tcp://127.0.0.1:0 >"$work/out" &
server=$!
for _ in $(seq 1000); do
	[ "$(grep -c '^listening on' "$work/out")" = 2 ] && break
	sleep 0.05
done
for address in $(sed -n 's/^listening on //p' "$work/out"); do
	"$1/exchange_client" "$address"

	# Three orders in one go, without waiting in between; the last one is refused.
	status=0
	printf 'ACME 10\nGHERKIN 1000\nACME 1001\n' | "$1/exchange_poll" "$address" >"$work/poll.out" || status=$?
	[ $status = 1 ] && [ "$(grep -cE '^(ACME 10|GHERKIN 1000): order [0-9]+$' "$work/poll.out")" = 2 ] &&
		grep -q '^ACME 1001: .*1 to 1000' "$work/poll.out" || die "exchange_poll said: $(cat "$work/poll.out")"

	# The exchange asks back: one order is confirmed, the other is not.
	"$1/exchange_trader" "$address" ACME 7 12050 >"$work/trader.out" || die 'exchange_trader failed'
	[[ "$(cat "$work/trader.out")" =~ ^'7 at 12050: yes'.'order '[0-9]+$ ]] || die "it said: $(cat "$work/trader.out")"
	status=0
	"$1/exchange_trader" "$address" ACME 7 12049 >"$work/trader.out" 2>&1 || status=$?
	[ $status = 1 ] && grep -q '^place: declined' "$work/trader.out" || die "it said: $(cat "$work/trader.out")"

	# Whoever watches sees what others trade from then on.
	"$1/exchange_watch" "$address" GHERKIN 2 >"$work/watch.out" &
	watch=$!
	for _ in $(seq 500); do
		kill -0 $watch 2>/dev/null || break
		echo 'GHERKIN 4' | "$1/exchange_poll" "$address" >/dev/null
	done
	wait $watch || die 'exchange_watch failed'
	watch=''
	[ "$(cat "$work/watch.out")" = $'2 at 99\n2 at 99' ] || die "exchange_watch said: $(cat "$work/watch.out")"
done
kill -TERM "$server"
wait "$server"
server=''
[ "$(grep -c 'hello from the example' "$work/out")" = 2 ]
