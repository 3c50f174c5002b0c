#!/bin/sh
# Runs neovim.lua in a Neovim of its own. Argument: the address.
export BRINE_ADDRESS="$1"
exec nvim --headless --clean -n -i NONE -c "luafile $(dirname "$0")/neovim.lua" </dev/null
