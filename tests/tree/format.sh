#!/usr/bin/env bash
# Proves: clang-format would change nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
git ls-files '*.c' '*.h' | grep -v '^tests/golden/' | xargs clang-format --dry-run --Werror
