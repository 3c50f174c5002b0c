#!/usr/bin/env bash
# files.sh SERVER CLIENT MIB PEAK-MIB
# Proves: a file of MIB mebibytes streams to the example server and back and is the same; neither side ever holds more than
# PEAK-MIB of memory; stopping and continuing either side in between does no harm; a slow reader slows the writer alone.
set -euo pipefail
server_program=$1 client=$2 mebibytes=$3 peak_kib=$(($4 * 1024))
work=$(mktemp -d)
server='' transfer=''
cleanup() {
	for process in $transfer $server; do kill -KILL "$process" 2>/dev/null || true; done
	rm -rf "$work"
}
trap cleanup EXIT
die() { echo "$*"; cat "$work"/*.err 2>/dev/null || true; exit 1; }
# Freed memory that AddressSanitizer keeps for its checks is not the program's.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:quarantine_size_mb=1" MALLOC_ARENA_MAX=2

mkdir "$work/store"
"$server_program" "$work/store" "unix://$work/socket" >"$work/server.out" 2>"$work/server.err" &
server=$!
for _ in $(seq 1000); do
	! grep -q '^listening on' "$work/server.out" || break
	kill -0 $server || die 'the server did not start'
	sleep 0.05
done

# peak_of PROCESS: the most memory that it ever held, in KiB.
peak_of() { awk '/^VmHWM:/ { print $2 }' "/proc/$1/status"; }
# modest WHAT KIB
modest() {
	echo "$1: peak memory $2 KiB"
	[ "$2" -le $peak_kib ] || die "$1 held $2 KiB, more than $peak_kib"
}
# pause_both: stops and continues both sides of a transfer that is under way; counts.
paused=0
pause_both() {
	local process
	for process in $server $transfer; do
		kill -STOP "$process" 2>/dev/null || return 0
		sleep 0.05
		kill -CONT "$process" 2>/dev/null || return 0
		paused=$((paused + 1))
	done
}
# pauses: does so until the transfer has ended.
pauses() {
	while kill -0 "$transfer" 2>/dev/null; do
		pause_both
		sleep 0.2
	done
}

# Each transfer is stopped for the first time where it cannot end: half of the file is still to come through a pipe.
half=$((mebibytes << 19))
mkfifo "$work/pipe"
head -c "${mebibytes}M" /dev/urandom >"$work/original"
"$client" "unix://$work/socket" put file <"$work/pipe" 2>"$work/put.err" &
transfer=$!
exec 4>"$work/pipe"
head -c $half "$work/original" >&4
pause_both
tail -c +$((half + 1)) "$work/original" >&4 &
feeder=$!
exec 4>&-
pauses
wait $feeder
wait $transfer || die 'put failed'
"$client" "unix://$work/socket" get file >"$work/pipe" 2>"$work/get.err" &
transfer=$!
exec 4<"$work/pipe"
head -c $half <&4 >"$work/copy"
pause_both
cat <&4 >>"$work/copy" &
feeder=$!
exec 4<&-
pauses
wait $feeder
wait $transfer || die 'get failed'
transfer=''
cmp "$work/original" "$work/copy"
[ $paused -ge 4 ] || die 'not all were stopped: the test is broken'
for direction in put get; do
	grep -q "^$direction: $((mebibytes << 20)) bytes" "$work/$direction.err" || die "$direction: another size"
	modest "the client that did $direction" "$(sed -n 's/.*peak memory \([0-9]*\) KiB/\1/p' "$work/$direction.err")"
done
modest 'the server' "$(peak_of $server)"

# One MiB in four steps, then the reader loses interest.
mkfifo "$work/slow"
"$client" "unix://$work/socket" get file >"$work/slow" 2>"$work/slow.err" &
transfer=$!
exec 3<"$work/slow"
for _ in 1 2 3 4; do
	[ "$(dd bs=64k count=4 iflag=fullblock status=none <&3 | wc -c)" = 262144 ] || die 'the slow reader got nothing'
	sleep 0.25
done
modest 'the client of a slow reader' "$(peak_of $transfer)"
modest 'the server of a slow reader' "$(peak_of $server)"
exec 3<&-
! wait $transfer || die 'get did not notice that its reader had gone'
transfer=''

status=0
echo x | "$client" "unix://$work/socket" put ../escaped 2>"$work/escape.err" || status=$?
[ $status = 1 ] && grep -q 'plain name' "$work/escape.err" || die 'a name led out of the folder'
[ "$(ls -A "$work/store")" = file ] || die "the store holds: $(ls -A "$work/store")"
kill -TERM $server
wait $server || die 'the server did not end well'
server=''
echo "$mebibytes MiB there and back, $paused pauses"
