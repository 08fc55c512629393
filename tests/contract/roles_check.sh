#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The permissions in PROTOCOL.md, in its block of that language, are those that the tests run.
# Usage: roles_check.sh PROTOCOL.md FILE LANGUAGE
set -eu
awk -v begin="\`\`\`$3" '$0 == begin { inside = 1; next } /^```$/ { inside = 0 } inside' "$1" | cmp - "$2" ||
  { echo "FAILED: $1 shows another configuration than $2"; exit 1; }
