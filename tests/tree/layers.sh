#!/usr/bin/env bash
# Proves: each folder of src includes only from itself and those before it, and the files inside a folder do not depend on
# each other in a circle; only net touches sockets and clocks, threads begin in run, memory comes from the allocator seam;
# the top level holds what it may hold.
set -euo pipefail
cd "$(dirname "$0")/../.."
read -ra layers < <(sed -nE 's/^set\(BRINE_LAYERS (.*)\)/\1/p' CMakeLists.txt)
bad=0
checked=0
complain() { echo "$*"; bad=1; }

allowed=''
for layer in "${layers[@]}" compiler; do
	if [ "$layer" = compiler ]; then allowed='base compiler'; else allowed="$allowed $layer"; fi
	for file in src/"$layer"/*.[ch]; do
		[ -f "$file" ] || continue
		while IFS=: read -r line folder; do
			checked=$((checked + 1))
			case " $allowed " in
			*" $folder "*) ;;
			*) complain "$file:$line: $layer may not include from $folder (only:$allowed)" ;;
			esac
		done < <(sed -nE 's|^#include "([a-z_]+)/.*|\1|;t p;d;:p;=;p' "$file" | paste -d: - -)
	done
done

tests/tree/circles.sh || bad=1

# only WHAT PATTERN ALLOWED-PATHS...: the pattern may stand in no other file of src.
only() {
	local what=$1 pattern=$2 hits
	shift 2
	hits=$(grep -nE "$pattern" -r src --include='*.[ch]' | grep -vE "^($(IFS='|'; echo "$*"))" || true)
	[ -z "$hits" ] || complain "$what:"$'\n'"$hits"
}
only 'sockets belong to src/net' '#include <(sys/socket|sys/un|netinet/|sys/epoll|poll|arpa/)' src/net/ src/run/lookup
only 'clocks belong to src/net/clock.c' '\b(clock_gettime|gettimeofday|time)\(' src/net/clock
only 'threads begin in src/run' '\bpthread_create' src/run/ src/compiler/reserved
only 'locks belong to src/run and those who use it' '\bpthread_(mutex|cond)' src/run/ src/channel/ src/dispatch/ src/client/ src/server/ src/text/ src/compiler/reserved
only 'memory comes from the allocator seam' '\b(malloc|calloc|realloc|free|strdup|asprintf)\(' src/base/alloc.c
only 'the library does not print or exit' '\b(printf|puts|fputs|perror|exit|abort)\(' 'src/none'

headers=$(grep -lE '#include <msgpack' include/brine/*.h || true)
[ "$headers" = include/brine/untyped.h ] || complain "msgpack.h is included by: $headers (only untyped.h may)"

extra=$(ls -A | grep -vxE 'CMakeLists\.txt|CMakePresets\.json|README\.md|LICENSE|proto|src|include|tests|tools|\..*' || true)
[ -z "$extra" ] || complain "top-level entries that do not belong there: $extra"

[ "$checked" -gt 0 ] || complain 'no include was checked: the test is broken'
echo "$checked includes checked"
exit $bad
