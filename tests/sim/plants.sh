#!/usr/bin/env bash
# Proves: the simulator finds each planted mistake of src/conn/plant.h within 1,000 seeds, and none where there is none.
#   plants.sh SIMULATOR
set -euo pipefail
simulator=$1
seeds=1000 least=12
found=0 bad=0

BRINE_PLANT=NONE "$simulator" --seeds "$seeds" >/dev/null || { echo "without a plant the simulator fails"; bad=1; }
for plant in $("$simulator" --plants); do
	status=0
	output=$(BRINE_PLANT=$plant "$simulator" --seeds "$seeds" 2>&1) || status=$?
	# Found is what the simulator itself saw: a crash or a count that stayed zero would be luck.
	if [ "$status" = 1 ] && line=$(grep -m 1 '^seed [0-9]*: ' <<<"$output"); then
		found=$((found + 1))
		echo "$plant: $line"
	else
		bad=1
		echo "$plant: not found (exit status $status)"
		tail -n 5 <<<"$output"
	fi
done
echo "$found planted mistakes found"
[ "$bad" = 0 ] && [ "$found" -ge "$least" ]
