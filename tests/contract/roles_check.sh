#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The server configuration in PROTOCOL.md is the one that the tests run.
# Usage: roles_check.sh PROTOCOL.md nats_roles.conf
set -eu
awk '/^```conf$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$1" | cmp - "$2" ||
  { echo "FAILED: $1 shows another configuration than $2"; exit 1; }
