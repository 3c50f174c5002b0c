# tools/common.sh - what the scripts of this folder share: finding the tree, installing packages, timed steps.
# Sourced, not run.

set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

# coloured DESCRIPTOR CODE TEXT: in colour where that is a terminal.
coloured() {
	if [ -t "$1" ] && [ -z "${NO_COLOR:-}" ]; then printf '\033[%sm%s\033[0m\n' "$2" "$3" >&"$1"; else printf '%s\n' "$3" >&"$1"; fi
}
say() { coloured 1 1 "== $*"; }
die() { coloured 2 31 "$*"; exit 1; }

# The comment at the top of the script.
help() { sed -n '2,/^source/s/^# \{0,1\}//p' "$0"; }

# Installs those of the named Debian packages that are missing, with sudo where not root.
install_packages() {
	local missing=() package
	command -v dpkg-query >/dev/null || {
		say "not a Debian system: these packages, or their equals, must be there already: $*"
		return 0
	}
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	local as_root=()
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "missing packages: ${missing[*]}
install them as root: apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	say "installing ${missing[*]}"
	"${as_root[@]}" apt-get update -qq ||
		die "apt-get update failed: see above; install by hand: ${missing[*]}"
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
		die "apt-get install failed: see above; install by hand: ${missing[*]}"
}

# What building needs, and what the tests need besides.
# libprotobuf-dev holds the standard schemas (google/protobuf/timestamp.proto).
build_packages=(gcc libc6-dev cmake ninja-build pkg-config libmsgpack-dev libjansson-dev protobuf-compiler libprotobuf-dev)
test_packages=(git g++ patch libcmocka-dev python3 python3-msgpack libuv1-dev libev-dev libsystemd-dev libglib2.0-dev
	libncurses-dev tmux bc mawk gawk)
full_packages=(clang libclang-rt-14-dev clang-format spin valgrind iproute2 nftables
	neovim python3-pynvim ruby-neovim lua5.1 lua-nvim nodejs golang-go golang-github-ugorji-go-codec-dev)
# Some builds of nodejs bring npm along, and will not have Debian's beside them.
command -v npm >/dev/null || full_packages+=(npm)

# step TITLE COMMAND...: runs it, prints its time; on failure shows the end of its output and ends the script.
step() {
	local title=$1 log="$top/.build/log/${1//[^a-zA-Z0-9]/-}.log" start=$SECONDS
	shift
	mkdir -p "$top/.build/log"
	say "$title"
	if "$@" >"$log" 2>&1; then
		printf '   %d s\n' $((SECONDS - start))
	else
		tail -n 60 "$log"
		die "failed: $title (all of it: ${log#"$top"/})"
	fi
}

# build PRESET [TARGET...]: configures once, builds.
build() {
	local preset=$1
	shift
	[ -f ".build/$preset/build.ninja" ] || cmake --preset "$preset"
	if [ $# -gt 0 ]; then cmake --build ".build/$preset" --target "$@"; else cmake --build ".build/$preset"; fi
}
