#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The document against the house. Each textproto example of PROTOCOL.md must be encoded by protoc and
# decoded by our codec; every message must have one, in the order in which section 4 explains them;
# and the table of statuses must be that of status.def.
# Usage: examples_check.sh PROTO_DIR PROTOCOL.md STATUS_DEF DECODE_CHECK
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v work="$work" '
  /^```textproto$/ { inside = 1; path = sprintf("%s/%03d.txt", work, ++count); next }
  /^```$/ { inside = 0 }
  inside { print > path }' "$2"
for text in "$work"/*.txt; do
  protoc --proto_path="$1" --encode=qnode.v1.Message qnode.proto <"$text" >"${text%.txt}.bin" ||
    { echo "FAILED: this example does not encode:"; cat "$text"; exit 1; }
  "$4" "${text%.txt}.bin" >>"$work/examples" ||
    { echo "FAILED: our codec refuses this example:"; cat "$text"; exit 1; }
done

# The messages that are a body, in the order of section 4: **Name** or | Name | begins a line there.
sed -n '/^  oneof body {/,/^  }/s/^    \([A-Za-z]*\) [a-z_]* = [0-9]*;$/\1/p' "$1/qnode.proto" |
  sort >"$work/kinds"
sed -n '/^## 4\. /,/^## 5\. /s/^\(\*\*\|| \)\([A-Z][A-Za-z]*\)\(\*\*\| |\).*/\2/p' "$2" |
  grep -xF -f "$work/kinds" | awk '!seen[$0]++' >"$work/explained"
awk '!seen[$0]++' "$work/examples" >"$work/shown"
sort "$work/explained" | cmp - "$work/kinds" ||
  { echo "FAILED: section 4 does not explain every message:"
    sort "$work/explained" | diff - "$work/kinds"; exit 1; }
diff "$work/explained" "$work/shown" ||
  { echo "FAILED: section 9 does not show every message in the order of section 4"; exit 1; }

sed -n 's/^STATUS(\([A-Z_]*\), \([0-9]*\), "\(.*\)", \([0-9]*\))$/| \1 | \2 | \3 | \4 |/p' "$3" \
  >"$work/wanted"
grep -xF -f "$work/wanted" "$2" >"$work/found" || true
cmp "$work/wanted" "$work/found" || { echo "FAILED: the table of statuses is not $3"; exit 1; }
echo "$(wc -l <"$work/examples") examples of $(wc -l <"$work/shown") messages"
