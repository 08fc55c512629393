#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does another implementation of protobuf say the same? NAME.txt, the text form of NAME.bin, must
# encode to exactly its bytes. With --write as third argument the texts are made from the bytes.
# Usage: protoc_check.sh PROTO_DIR GOLDEN_DIR [--write]
set -eu
for bin in "$2"/*.bin; do
  text=${bin%.bin}.txt
  if [ "${3-}" = --write ]; then
    protoc --proto_path="$1" --decode=qnode.v1.Message qnode.proto <"$bin" >"$text"
  elif ! protoc --proto_path="$1" --encode=qnode.v1.Message qnode.proto <"$text" | cmp - "$bin"; then
    echo "FAILED: $(basename "$text") encodes to other bytes than $(basename "$bin")"
    exit 1
  fi
done
