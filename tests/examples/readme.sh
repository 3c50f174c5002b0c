#!/usr/bin/env bash
# Proves: the schema, the server and the client that the README's first screen shows compile and run as they stand there;
# its other fragments of C stand in the examples that their first lines name.
# readme.sh README PROTOC PLUGIN INCLUDE-DIR COMPILER LIBRARY FLAGS...
set -euo pipefail
readme=$1 protoc=$2 plugin=$3 include=$4 compiler=$5 library=$6
shift 6
work=$(mktemp -d)
server=''
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

# block LANGUAGE NUMBER: the contents of the README's NUMBER-th code block of that language.
block() {
	awk -v start="\`\`\`$1" -v number="$2" '
		$0 == "```" && inside { exit }
		inside { print }
		$0 == start && ++seen == number { inside = 1 }' "$readme"
}
block proto 1 >"$work/adder.proto"
block c 1 >"$work/server.c"
block c 2 >"$work/client.c"
grep -q 'service Adder' "$work/adder.proto"

"$protoc" --plugin=protoc-gen-brine="$plugin" --brine_out="$work" -I "$work" "$work/adder.proto"
for program in server client; do
	"$compiler" -std=c11 -Wall -Wextra -Werror "$@" -I "$include" -I "$work" -o "$work/$program" \
		"$work/$program.c" "$work/adder.brine.c" "$library" "-Wl,-rpath,$(dirname "$library")" -lpthread
done

"$work/server" "unix://$work/adder.sock" &
server=$!
for _ in $(seq 1000); do
	[ -S "$work/adder.sock" ] && break
	sleep 0.05
done
output=$("$work/client" "unix://$work/adder.sock")
echo "$output"
[ "$output" = '2 + 3 = 5' ]

# Without the indentation, which depends on where it stands.
flat() { sed 's/^[ \t]*//'; }
number=3
while fragment=$(block c $number) && [ -n "$fragment" ]; do
	file=$(dirname "$readme")/$(sed -n '1s|^/\* \(.*\) \*/$|\1|p' <<<"$fragment")
	[[ "$(flat <"$file")" == *"$(tail -n +2 <<<"$fragment" | flat)"* ]] || {
		printf 'this fragment of the README does not stand in the file it names:\n%s\n' "$fragment"
		exit 1
	}
	number=$((number + 1))
done
[ $number -gt 3 ]
