#!/usr/bin/env bash
# Proves: the help of the scripts fits a terminal of 80 columns and ends with what they exit with; words that they do not know
# end them with 2 before anything is installed or built.
set -euo pipefail
cd "$(dirname "$0")/../.."
for script in tools/check tools/demo tools/experiment; do
	"$script" --help | awk -v script="$script" 'length > 80 { print script ": over 80 columns: " $0; bad = 1 } END { exit bad }'
	"$script" --help | tail -n 2 | grep -q 'usage' || { echo "$script: --help says nothing of exit statuses"; exit 1; }
	status=0
	"$script" --wat 2>/dev/null || status=$?
	[ "$status" = 2 ] || { echo "$script --wat: exit status $status"; exit 1; }
done
