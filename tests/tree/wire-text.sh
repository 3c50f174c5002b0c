#!/usr/bin/env bash
# Proves: the Python client that stands in proto/WIRE.md is the one that the tests run.
set -euo pipefail
cd "$(dirname "$0")/../.."
diff <(awk '$0 == "```" { inside = 0 } inside { print } $0 == "```python" { inside = 1 }' proto/WIRE.md) tests/peers/client.py
