#!/usr/bin/env bash
# check.sh PLUGIN
# Proves J14: --check lists each incompatible change with the places in both versions and exits with 1, and lets compatible
# ones pass with 0.
set -euo pipefail
plugin=$1
protos=$(cd "$(dirname "$0")/../../proto" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir old new
failed=0
checked=0
head='syntax = "proto3"; package p; import "brine/options.proto";'

# compare NAME STATUS EXPECTED OLD NEW: EXPECTED is the report, parts of lines each on a line of its own
compare() {
	local name=$1 wanted=$2 expected=$3 status=0 line
	checked=$((checked + 1))
	printf '%s\n%s\n' "$head" "$4" >old/s.proto
	printf '%s\n\n%s\n' "$head" "$5" >new/s.proto
	for version in old new; do
		protoc -I $version -I "$protos" --include_imports --include_source_info -o $version.desc s.proto 2>/dev/null
	done
	"$plugin" --check old.desc new.desc >report 2>errors || status=$?
	[ $status -eq "$wanted" ] || { echo "$name: exit status $status, not $wanted"; cat report errors; failed=1; }
	[ "$(wc -l <report)" -eq "$(printf '%s' "$expected" | grep -c '')" ] || { echo "$name: another number of lines"; cat report; failed=1; }
	while [ -n "$expected" ] && IFS= read -r line; do
		grep -qF -- "$line" report || { echo "$name: not reported: $line"; cat report; failed=1; }
	done <<<"$expected"
}
breaks() { compare "$1" 1 "$2" "$3" "$4"; }
passes() { compare "$1" 0 '' "$2" "$3"; }

service='service S { rpc A(M) returns (M); }'
breaks 'another type' 's.proto:3:13: field "a" was a signed integer of 32 bits and is string (was s.proto:2:13)' \
	'message M { int32 a = 1; }' 'message M { string a = 1; }'
breaks 'another width' 'field "a" was a signed integer of 32 bits and is a signed integer of 64 bits' \
	'message M { int32 a = 1; }' 'message M { int64 a = 1; }'
breaks 'repeated' 's.proto:3:13: field "a" was single and is repeated (was s.proto:2:13)' \
	'message M { int32 a = 1; }' 'message M { repeated int32 a = 1; }'
breaks 'the values of a map' 'field "value" was string and is bytes' \
	'message M { map<string, string> a = 1; }' 'message M { map<string, bytes> a = 1; }'
breaks 'another layout' 's.proto:3:9: message "p.M" has another layout (was s.proto:2:1)' \
	'message M { int32 a = 1; }' 'message M { option (brine.message).layout = BARE; int32 a = 1; }'
breaks 'a rename in a map' 'field "b" was "a", and its message has layout MAP' \
	'message M { option (brine.message).layout = MAP; int32 a = 1; }' \
	'message M { option (brine.message).layout = MAP; int32 b = 1; }'
breaks 'options' '(brine.field).ext of "a" changed
(brine.field).max of "b" changed from 3 to 4
(brine.field).finite of "c" changed' \
	'message M { int32 a = 1; string b = 2 [(brine.field).max = 3]; float c = 3; }' \
	'message M { int32 a = 1 [(brine.field).ext = 0]; string b = 2 [(brine.field).max = 4];
	 float c = 3 [(brine.field).finite = true]; }'
breaks 'any bytes' '(brine.field).any_bytes of "c" changed' \
	'message M { string c = 3 [(brine.field).any_bytes = true]; }' \
	'message M { string c = 3; }'
breaks 'a closed enum' '"Y" was removed from an enum that field "e" uses as a closed one
"Z" was added to an enum that field "e" uses as a closed one' \
	'enum E { X = 0; Y = 1; } message M { E e = 1 [(brine.field).closed = true]; }' \
	'enum E { X = 0; Z = 2; } message M { E e = 1 [(brine.field).closed = true]; }'
breaks 'a oneof over fields' 'oneof "o" joins fields "a" and "b", which could be set together' \
	'message M { int32 a = 1; int32 b = 2; }' 'message M { oneof o { int32 a = 1; int32 b = 2; } }'
breaks 'a method gone' 's.proto:1:1: no method has the wire name "p.S/A" any more (was s.proto:2:' \
	"message M {} $service" 'message M {}'
breaks 'a stream' 'method "A" streams in another way' \
	"message M {} $service" 'message M {} service S { rpc A(M) returns (stream M); }'
breaks 'a message behind a renamed one' 'field "a" was bool and is string' \
	"message M { N n = 1; } message N { bool a = 1; } $service" \
	'message Q { O n = 1; } message O { string a = 1; } service S { rpc A(Q) returns (Q); }'
breaks 'one message that became two' 'field "x" was a signed integer of 32 bits and is string' \
	'message T { int32 x = 1; } message M { T a = 1; T b = 2; }' \
	'message T1 { int32 x = 1; } message T2 { string x = 1; } message M { T1 a = 1; T2 b = 2; }'
breaks 'the same the other way round' 'field "x" was a signed integer of 32 bits and is string' \
	'message T { int32 x = 1; } message M { T a = 1; T b = 2; }' \
	'message T1 { int32 x = 1; } message T2 { string x = 1; } message M { T2 a = 1; T1 b = 2; }'
breaks 'a circle without a method' 'field "x" was a signed integer of 32 bits and is string' \
	'message A { B b = 1; int32 x = 2; } message B { A a = 1; }' \
	'message A { B b = 1; string x = 2; } message B { A a = 1; }'
passes 'another message in the place of one' "message N { int32 x = 1; } message M { N n = 1; }" \
	"message N { string x = 1; } message O { int32 x = 1; } message M { O n = 1; }"
passes 'the same' "message M { int32 a = 1; } $service" "message M { int32 a = 1; } $service"
passes 'more of everything' "message M { int32 a = 1; } $service" \
	"message M { int32 a = 1; string b = 2; } message N {} enum E { X = 0; } service S { rpc A(M) returns (M); rpc B(N) returns (N); }"
passes 'fields gone, renamed, made optional' 'message M { int32 a = 1; int32 b = 2; int32 c = 3; }' \
	'message M { int32 x = 1; optional int32 c = 3; }'
passes 'names of messages' "message M { M m = 1; } $service" \
	'message N { N m = 1; } service S { rpc A(N) returns (N); }'
passes 'an open enum for an integer' 'message M { int32 a = 1; }' 'enum E { X = 0; } message M { E a = 1; }'

status=0
"$plugin" --check old.desc missing.desc >report 2>errors || status=$?
[ $status -eq 2 ] && grep -q 'missing.desc: No such file' errors || { echo 'a missing file was not told'; failed=1; }
echo nonsense >broken.desc
status=0
"$plugin" --check old.desc broken.desc >report 2>errors || status=$?
[ $status -eq 2 ] && grep -q 'no set of protoc' errors || { echo 'nonsense was compared'; failed=1; }
echo "$checked pairs compared"
exit $failed
