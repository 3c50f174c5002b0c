#!/usr/bin/env bash
# tests/spin/run.sh - proves that the models of this folder hold, exhaustively, and that each planted mistake is found.
#
# One line for each run: the verdict, the model, its switches, the states seen, the time. The planted mistakes are those
# that the models name (PLANT_...), so none can be forgotten. Needs spin and a C compiler; without spin it says
# "skipped" and ends with 77, or fails where BRINE_PEERS_REQUIRED is set. Works in a temporary folder.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! command -v spin >/dev/null; then
	echo 'skipped: spin is not installed'
	[ -z "${BRINE_PEERS_REQUIRED:-}" ] || exit 1
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
bad=0 held=0 found=0 optimize=-O2

# verify KIND MODEL SWITCH...: runs one exhaustive search; its output is the file out. KIND says what is sought besides
# failed assertions: deadlocks, livelocks (endless runs without progress), or breaches of its ltl formula.
verify() {
	local kind=$1 model=$2 build run
	shift 2
	case $kind in
	deadlocks) build=(-DSAFETY) run=() ;;
	livelocks) build=(-DNP) run=(-l) ;;
	breaches) build=(-DNFAIR=4) run=(-a -f) ;;
	esac
	rm -f pan* ./*.trail
	spin -a "$@" "$here/$model.pml" >spin.out 2>&1 || { cat spin.out; exit 1; }
	if grep -qi 'error' spin.out; then cat spin.out; exit 1; fi
	"${CC:-cc}" "$optimize" -w "${build[@]}" -o pan pan.c
	./pan -m1000000 -w22 "${run[@]}" >out 2>&1 || true
	grep -q '^State-vector .* errors: [0-9]' out || { cat out; exit 1; }
	if grep -q -e 'max search depth too small' -e 'out of memory' out; then cat out; exit 1; fi
}

# report VERDICT MODEL WHAT START: one line, with the states that out tells of.
report() {
	local states micros=$((${EPOCHREALTIME/[.,]/} - $4))
	states=$(sed -nE 's/^ *([0-9]+) states, stored.*/\1/p' out)
	printf '%-6s %-9s %-64s %9d states %3d.%d s\n' "$1" "$2" "$3" "$states" $((micros / 1000000)) $((micros / 100000 % 10))
}

# holds KIND MODEL SWITCH...: the search finds nothing and has seen everything.
holds() {
	local start=${EPOCHREALTIME/[.,]/} kind=$1 model=$2
	verify "$@"
	shift 2
	if grep -q 'errors: 0$' out && ! grep -q 'Search not completed' out; then
		report holds "$model" "$kind: none${*:+, $*}" "$start"
		held=$((held + 1))
		return
	fi
	report FAILED "$model" "$kind:${*:+ $*}" "$start"
	grep -E '^pan:' out || true
	spin -t -p "$@" "$here/$model.pml" 2>&1 | tail -n 80 || true
	bad=$((bad + 1))
}

# breaks WORD KIND MODEL SWITCH...: the search finds a broken property of the protocol, not a slip of the model.
breaks() {
	local start=${EPOCHREALTIME/[.,]/} word=$1 kind=$2 model=$3
	shift
	verify "$@"
	shift 2
	if grep -qE '^pan:1: (assertion violated|(non-progress|acceptance) cycle)' out && ! grep -q 'invalid array' out; then
		report "$word" "$model" "$*" "$start"
		found=$((found + 1))
		return
	fi
	report MISSED "$model" "$kind: $*" "$start"
	grep -E '^pan:' out || true
	bad=$((bad + 1))
}

# plant MODEL PLANT: where a mistake does not show in the smallest model, the switches or the search that it needs.
plant() {
	local kind=deadlocks switches=()
	[ "$1" != shutdown ] || switches=(-DCALLS=1)
	case $2 in
	PLANT_HANDLER_KEYED_BY_ID) switches=(-DLIMIT=2) ;;
	PLANT_STALLED_STREAM_STOPS_READING) switches=(-DENDLESS) ;;
	PLANT_EMPTY_GRANTS) kind=livelocks ;;
	PLANT_FREE_*) switches=(-DFREE) ;;
	esac
	breaks found "$kind" "$1" "${switches[@]}" "-D$2"
}

holds deadlocks calls -DLIMIT=1
holds deadlocks calls -DLIMIT=2
holds livelocks calls -DLIMIT=1
holds deadlocks streams
holds deadlocks streams -DROOM=1 -DITEMS=4
holds livelocks streams
holds deadlocks streams -DENDLESS
holds livelocks streams -DENDLESS
holds deadlocks shutdown -DCALLS=1
holds livelocks shutdown -DCALLS=1
holds breaches shutdown -DCALLS=1 -DLIVENESS
holds deadlocks shutdown -DCALLS=2 -DSMOOTH
holds deadlocks waiting
holds deadlocks waiting -DFREE

optimize=-O0 # little is searched before the mistake shows
breaks shows deadlocks shutdown -DCALLS=1 -DSMOOTH -DCALLS_AFTER_OWN_GOAWAY
breaks found breaches shutdown -DCALLS=1 -DLIVENESS -DPLANT_DRAINING_SIDES_WAIT_FOR_EACH_OTHER
for model in calls streams shutdown waiting; do
	for name in $(grep -oE '\bPLANT_[A-Z_0-9]+' "$here/$model.pml" | sort -u); do
		plant "$model" "$name"
	done
done

echo "$held runs hold, $found mistakes shown, $bad wrong"
[ "$bad" = 0 ] && [ "$held" -gt 0 ] && [ "$found" -gt 10 ]
