#!/usr/bin/env bash
# Runs one client program against a live server: peer.sh NAME SERVER FOLDER, where SERVER is the program made of peers.c and
# FOLDER is for what is built or installed here. Names that begin with called-: the other direction, SERVER is made of called.c
# and calls the program. Exit status 77 and "skipped: why" where the program cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=$1 server=$2 folder=$3

skip() {
	echo "skipped: peers/$name: $*"
	[ -z "${BRINE_PEERS_REQUIRED:-}" ] || exit 1
	exit 77
}

# The python3 that has a module: a private build may be first in the path.
python_with() {
	local python
	for python in python3 /usr/bin/python3; do
		if "$python" -c "import $1" 2>/dev/null; then
			echo "$python"
			return
		fi
	done
	return 1
}

# Installs the npm packages of package-lock.json, once for all tests that come at the same time.
install_npm() {
	local log="$folder/npm.log"
	command -v node >/dev/null && command -v npm >/dev/null || skip "no node or no npm (apt-get install nodejs npm)"
	mkdir -p "$folder"
	exec 9>"$folder/npm.lock"
	flock 9
	if ! cmp -s "$here/npm/package-lock.json" "$folder/installed"; then
		cp "$here"/npm/package*.json "$folder/"
		(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) >"$log" 2>&1 ||
			skip "npm could not install its packages: $(tail -n 1 "$log")"
		cp "$folder/package-lock.json" "$folder/installed"
	fi
	exec 9>&-
	export NODE_PATH=$folder/node_modules
}

# Compiles $1.go to $folder/$1.
build_go() {
	command -v go >/dev/null || skip 'no go (apt-get install golang-go)'
	[ -d /usr/share/gocode/src/github.com/ugorji/go/codec ] ||
		skip 'no codec (apt-get install golang-github-ugorji-go-codec-dev)'
	mkdir -p "$folder"
	GOCACHE=$folder/cache GOFLAGS=-mod=mod GO111MODULE=off GOPATH=/usr/share/gocode \
		go build -o "$folder/$1" "$here/$1.go"
}

case $name in
python-plain)
	python=$(python_with msgpack) || skip 'no python3 that can import msgpack (apt-get install python3-msgpack)'
	exec "$server" text "$python" -B "$here/plain.py"
	;;
pynvim)
	python=$(python_with pynvim) || skip 'no python3 that can import pynvim (apt-get install python3-pynvim)'
	exec "$server" pairs "$python" -B "$here/pynvim_client.py"
	;;
ruby-neovim)
	ruby -e 'require "neovim"' 2>/dev/null || skip 'no ruby that has neovim (apt-get install ruby-neovim)'
	exec "$server" pairs ruby "$here/ruby_client.rb"
	;;
lua-nvim)
	lua5.1 -e 'require("nvim.session")' 2>/dev/null || skip 'no lua5.1 that has nvim (apt-get install lua5.1 lua-nvim)'
	exec "$server" pairs lua5.1 "$here/lua_client.lua"
	;;
neovim)
	command -v nvim >/dev/null || skip 'no nvim (apt-get install neovim)'
	export XDG_RUNTIME_DIR=$folder XDG_CONFIG_HOME=$folder XDG_DATA_HOME=$folder XDG_STATE_HOME=$folder
	exec "$server" pairs "$here/neovim.sh"
	;;
npm-neovim)
	install_npm
	exec "$server" pairs node "$here/npm/neovim.js"
	;;
npm-*)
	install_npm
	exec "$server" text node "$here/npm/${name#npm-}.js"
	;;
called-pynvim)
	python=$(python_with pynvim) || skip 'no python3 that can import pynvim (apt-get install python3-pynvim)'
	exec "$server" "$python" -B "$here/pynvim_server.py"
	;;
called-msgpack5rpc)
	install_npm
	exec "$server" node "$here/npm/serve-msgpack5rpc.js"
	;;
called-msgpack-rpc-lite)
	install_npm
	exec "$server" --socket node "$here/npm/serve-msgpack-rpc-lite.js"
	;;
called-go-ugorji)
	build_go server
	exec "$server" --go --no-notes "$folder/server"
	;;
go-ugorji)
	build_go client
	exec "$server" text "$folder/client"
	;;
*)
	echo "peer.sh: no client is called $name" >&2
	exit 2
	;;
esac
