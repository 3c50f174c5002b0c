#!/usr/bin/env bash
# compile.sh INCLUDE
# Proves J01: the generated C compiles with warnings as errors, as C11 and its headers as C++17, plain and with every POSIX
# header included before it; and J06: what schemas put into comments stays there.
set -euo pipefail
cd "$(dirname "$0")"
include=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

posix='aio arpa/inet assert complex cpio ctype dirent dlfcn errno fcntl fenv float fmtmsg fnmatch ftw glob grp iconv inttypes
iso646 langinfo libgen limits locale math monetary mqueue net/if netdb netinet/in netinet/tcp nl_types poll pthread pwd regex
sched search semaphore setjmp signal spawn stdarg stdbool stddef stdint stdio stdlib string strings sys/ipc sys/mman sys/msg
sys/resource sys/select sys/sem sys/shm sys/socket sys/stat sys/statvfs sys/time sys/times sys/types sys/uio sys/un
sys/utsname sys/wait sys/sysmacros syslog tar termios time ulimit unistd utime utmpx wchar wctype wordexp'
for header in $posix; do
	echo "#include <$header.h>" >>"$out/posix.h"
done
grep -v complex "$out/posix.h" >"$out/posix-cxx.h"

# try NAME COMMAND...: counts, and says what failed.
count=0
try() {
	count=$((count + 1))
	"${@:2}" -Wall -Wextra -Werror -fsyntax-only -I "$include" -I expected || { echo "failed: $1"; exit 1; }
}

compilers=''
for compiler in gcc clang; do
	command -v $compiler >/dev/null && compilers="$compilers $compiler"
done
[ -n "$compilers" ] || compilers=cc
sources=$(cd expected && find . -name '*.brine.c' | sed 's|^\./||;s|\.c$||' | sort)
for source in $sources; do
	for compiler in $compilers; do
		try "$source.c, C11, $compiler" "$compiler" -std=c11 -x c "expected/$source.c"
		try "$source.c, behind POSIX, $compiler" "$compiler" -std=gnu11 -D_GNU_SOURCE -include "$out/posix.h" \
			-x c "expected/$source.c"
	done
	if command -v g++ >/dev/null; then
		try "$source.h, C++17" g++ -std=c++17 -x c++ "expected/$source.h"
		try "$source.h, behind POSIX, C++17" g++ -std=gnu++17 -include "$out/posix-cxx.h" -x c++ "expected/$source.h"
	else
		echo "skipped: $source.h as C++17: no g++"
	fi
done

# Without their comments the traps leave only the harmless tokens.
gcc -fpreprocessed -dD -E -P -x c expected/comments.brine.h | tr -s ' \t\n' ' ' >"$out/tokens"
count=$((count + 1))
for word in evil nothing.h escaped nested; do
	! grep -q "$word" "$out/tokens" || { echo "\"$word\" left its comment"; exit 1; }
done
grep -q 'struct comments_traps { int32_t a; int32_t b; int32_t c; int32_t d; int32_t e; int32_t f; int32_t g; int32_t h; };' \
	"$out/tokens" || { echo "a trap changed the struct"; cat "$out/tokens"; exit 1; }
! LC_ALL=C grep -nP '[\x00-\x08\x0b-\x1f\x7f]' -r expected || { echo "control characters came through"; exit 1; }
echo "$count compilations"
