#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The document against the house: each textproto example of PROTOCOL.md must encode, and its table of
# statuses must be that of status.def.
# Usage: examples_check.sh PROTO_DIR PROTOCOL.md STATUS_DEF
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v work="$work" '
  /^```textproto$/ { inside = 1; count++; next }
  /^```$/ { inside = 0 }
  inside { print > (work "/" count ".txt") }' "$2"
for text in "$work"/*.txt; do
  protoc --proto_path="$1" --encode=qnode.v1.Message qnode.proto <"$text" >/dev/null ||
    { echo "FAILED: this example does not encode:"; cat "$text"; exit 1; }
done
sed -n 's/^STATUS(\([A-Z_]*\), \([0-9]*\), "\(.*\)", \([0-9]*\))$/| \1 | \2 | \3 | \4 |/p' "$3" \
  >"$work/wanted"
grep -xF -f "$work/wanted" "$2" >"$work/found" || true
cmp "$work/wanted" "$work/found" || { echo "FAILED: the table of statuses is not $3"; exit 1; }
