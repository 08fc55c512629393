#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does another implementation of protobuf say the same? NAME.txt, the text form of NAME.bin, must
# encode to exactly its bytes, and NAME.bin decode to exactly that text. Every body that the schema
# knows must be there. With --write as third argument the texts are made from the bytes.
# Usage: protoc_check.sh PROTO_DIR GOLDEN_DIR [--write]
set -eu
code() { protoc --proto_path="$1" "--$2=qnode.v1.Message" qnode.proto; }
for bin in "$2"/*.bin; do
  text=${bin%.bin}.txt
  if [ "${3-}" = --write ]; then
    code "$1" decode <"$bin" >"$text"
  elif ! code "$1" encode <"$text" | cmp - "$bin"; then
    echo "FAILED: $(basename "$text") encodes to other bytes than $(basename "$bin")"
    exit 1
  elif ! code "$1" decode <"$bin" | cmp - "$text"; then
    echo "FAILED: $(basename "$bin") decodes to another text than $(basename "$text")"
    exit 1
  fi
done
bodies=$(sed -n '/^  oneof body {/,/^  }/s/^    [A-Za-z]* \([a-z_]*\) = [0-9]*;$/\1/p' \
  "$1/qnode.proto")
[ -n "$bodies" ] || { echo "FAILED: no bodies in $1/qnode.proto"; exit 1; }
for body in $bodies; do
  grep -q "^$body {" "$2"/*.txt || { echo "FAILED: no golden bytes of $body"; exit 1; }
done
