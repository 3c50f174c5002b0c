#!/usr/bin/env bash
# refused.sh PLUGIN
# Proves what happens around the plugin: what protoc refuses by itself reaches the user with its message and exit status 1
# (J08 numbers, J09 imports, J10 bytes, J13 literals), and nothing is written then; odd but sound bytes are accepted.
set -euo pipefail
cd "$(dirname "$0")"
plugin=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/written"
failed=0
checked=0
protos=$(cd ../../proto && pwd)

# refuse NAME EXPECTED-PART-OF-MESSAGE < schema
refuse() {
	local name=$1 part=$2 status=0
	cat >"$out/bad.proto"
	checked=$((checked + 1))
	(cd "$out" && timeout 20 protoc --plugin=protoc-gen-brine="$plugin" --brine_out=written -I . -I "$protos" bad.proto) \
		>"$out/stdout" 2>"$out/stderr" || status=$?
	if [ $status -ne 1 ] || ! grep -q -- "$part" "$out/stderr" || [ -n "$(ls "$out/written")" ]; then
		echo "$name: exit status $status, wanted 1 and \"$part\" and no files; got:"
		head -c 400 "$out/stderr"
		failed=1
	fi
}
# accept NAME < schema
accept() {
	cat >"$out/good.proto"
	checked=$((checked + 1))
	(cd "$out" && timeout 20 protoc --plugin=protoc-gen-brine="$plugin" --brine_out=. -I . good.proto) \
		>"$out/stdout" 2>"$out/stderr" && [ -f "$out/good.brine.c" ] || { echo "$1: refused: $(head -c 400 "$out/stderr")"; failed=1; }
	rm -f "$out"/good.brine.*
}
p3='syntax = "proto3";'
refuse 'J08 a number twice' 'bad.proto:1:55: Field number 1 has already been used' \
	<<<"$p3 message M { int32 a = 1; int32 b = 1; }"
refuse 'J08 number 0' 'bad.proto:1:' <<<"$p3 message M { int32 a = 0; }"
refuse 'J08 a negative number' 'bad.proto:1:' <<<"$p3 message M { int32 a = -1; }"
refuse 'J08 number 2^31' 'bad.proto:1:' <<<"$p3 message M { int32 a = 2147483648; }"
refuse 'J08 an enum number twice' 'bad.proto:1:' <<<"$p3 enum E { A = 0; B = 1; C = 1; }"
refuse 'J08 a reserved range reversed' 'bad.proto:1:' <<<"$p3 message M { reserved 5 to 2; }"
refuse 'J09 an import out of the folders' 'bad.proto:1:' <<<"$p3 import \"../../../etc/passwd\";"
refuse 'J09 an absolute import' 'bad.proto:1:' <<<"$p3 import \"/etc/passwd\";"
refuse 'J09 a device' 'bad.proto:1:' <<<"$p3 import \"/dev/zero\";"
refuse 'J09 a URL' 'bad.proto:1:' <<<"$p3 import \"http://example.com/a.proto\";"
refuse 'J07 an import of itself' 'bad.proto' <<<"$p3 import \"bad.proto\";"
echo "$p3 import \"bad.proto\";" >"$out/other.proto"
refuse 'J07 two files that import each other' 'recursively imports itself' <<<"$p3 import \"other.proto\";"
accept 'J10 a byte order mark' < <(printf '\xef\xbb\xbf%s message M {}' "$p3")
accept 'J10 CR and tabs' < <(printf '%s\r\n\tmessage M {\r\n\t\tint32 a = 1; // one\r\n\r\n}\r\n' "$p3")
accept 'J10 a line of 16 MiB' < <(printf '%s // ' "$p3"; head -c 16777216 /dev/zero | tr '\0' x; printf '\nmessage M {}\n')
refuse 'J10 nothing at all' 'syntax "proto2" is not supported' </dev/null
refuse 'J10 a string without an end' 'bad.proto:1:' <<<"$p3 import \"a"
refuse 'J10 a comment without an end' 'bad.proto:' <<<"$p3 /* never"
refuse 'J10 a NUL' 'bad.proto:1:' < <(printf '%s message M\0 {}' "$p3")
refuse 'J10 bytes that are no UTF-8' 'bad.proto:1:' < <(printf '%s message \xff\xfe {}' "$p3")
refuse 'J13 a number beyond 64 bits' 'bad.proto:1:' \
	<<<"$p3 import \"brine/options.proto\"; message M { string a = 1 [(brine.field).max = 18446744073709551616]; }"
refuse 'J13 beyond 32 bits' 'bad.proto:1:' \
	<<<"$p3 import \"brine/options.proto\"; message M { string a = 1 [(brine.field).max = 4294967296]; }"
refuse 'J13 a float for a number' 'bad.proto:1:' \
	<<<"$p3 import \"brine/options.proto\"; message M { string a = 1 [(brine.field).max = 1e999]; }"
refuse 'J13 nan for a number' 'bad.proto:1:' \
	<<<"$p3 import \"brine/options.proto\"; message M { string a = 1 [(brine.field).max = nan]; }"
refuse 'J07 10,000 messages deep' 'bad.proto' \
	< <(echo "$p3"; for ((i = 0; i < 10000; i++)); do echo "message M$i {"; done)
refuse 'J07 4,097 fields' 'bad.proto:2:9: message "M" has 4097 fields, at most 4096 are allowed' \
	< <(printf '%s\nmessage M {\n' "$p3"; for ((i = 1; i <= 4097; i++)); do echo "int32 f$i = $i;"; done; echo '}')
refuse 'J03 a name of 65,536 characters' 'has 65536 characters, at most 128 are allowed' \
	< <(printf '%s message %s {}' "$p3" "$(head -c 65536 /dev/zero | tr '\0' a)")
echo "$checked schemas tried"
exit $failed
