#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an operator meets: qnodectl's exit codes, its JSON, its waiting, and a PARTIAL answer after a
# node died. Real processes. usage: tests/e2e/ctl_test.sh BIN_DIR
set -euo pipefail
PATH=$(realpath "$1"):$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/qnode-ctl.XXXXXX")
pids=()
checks=0

finish() {
  local code=$? pid
  trap - EXIT
  [ $code -eq 0 ] || tail -n 15 "$work"/*.log >&2
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
  exit $code
}
trap finish EXIT

start() { # NAME COMMAND...
  "${@:2}" >"$work/$1.log" 2>&1 &
  pids+=($!)
}

# Runs the rest, expects the exit code and, in stdout and stderr together, the text.
expect() { # CODE TEXT COMMAND...
  local code=0 wanted=$1 text=$2
  shift 2
  "$@" >"$work/out" 2>&1 || code=$?
  [ $code = "$wanted" ] || { echo "exit $code, not $wanted: $*"; cat "$work/out"; exit 1; }
  grep -qF -- "$text" "$work/out" || { echo "no '$text': $*"; cat "$work/out"; exit 1; }
  checks=$((checks + 1))
  echo "  ok: $* -> $code, $text"
}

until_true() { # COMMAND...
  local tries=150
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "waited too long: $*"; exit 1; }
    sleep 0.1
  done
}

json_has() { # WORDS: keys of the JSON in $work/out, sorted, are exactly these
  local keys
  keys=$(grep -oE '"[A-Za-z_]+":' "$work/out" | tr -d '":' | sort -u | tr '\n' ' ')
  [ "$keys" = "$1 " ] || { echo "keys are $keys, not $1"; exit 1; }
  checks=$((checks + 1))
}

expect 2 "a verb is missing" qnodectl
expect 2 "no bus" env -u QNODE_BUS qnodectl nodes
expect 2 "no such verb: dance" qnodectl dance
expect 2 "load-balance needs" qnodectl load-balance --src 1
expect 0 "examples:" qnodectl load-balance --help
expect 2 "nodes has no option --kind; usage: qnodectl nodes" qnodectl nodes --kind x
expect 2 "topics list has no option --wait" qnodectl topics list --wait
expect 2 "no value for --replication: want a number from 1 to 32767" qnodectl topics create \
  --replication 99999999999
expect 2 "x is no value for -o: want table or json" qnodectl nodes -o x
expect 2 "65537 is no value for --ef: want a number from 1 to 65536" qnodectl search --ef 65537
expect 2 "0 is no value for --nprobe: want a number from 1 to 1048576" qnodectl search --nprobe 0
expect 2 "x is no value for --refine: want a number from 1 to 65536" qnodectl search --refine x
expect 2 "65537 is no value for --ef" qnode-bench search --ef 65537
expect 2 "qcoordd: --bus is required" qcoordd
expect 2 "--state is required" qcoordd --bus nats://127.0.0.1:1
expect 2 "unknown option --statt" qcoordd --statt x
expect 2 "--log-level loud: want error" qcoordd --log-level loud
expect 2 "0 is no number of milliseconds: want 1 to 86400000" qcoordd --overlap-ms 0
expect 2 "--cluster a.b: want 1 to 64 of letters" qcoordd --bus nats://127.0.0.1:1 \
  --state "$work/none.db" --cluster a.b

# All help fits a terminal; a group of verbs has one, too.
narrow() { # COMMAND...
  expect 0 "usage: " "$@" --help
  awk 'length > 80 { bad = 1; print "too wide: " $0 } END { exit bad }' "$work/out"
}
narrow qnoded
narrow qcoordd
narrow qnodectl
narrow qnode-bench
for verb in "" generate build inspect verify truth search; do narrow qseg $verb; done
for verb in nodes segments load-balance moves search tap collections\ {list,load,release} \
  topics\ {create,list}; do
  # shellcheck disable=SC2086 # two words
  narrow qnodectl $verb
done
narrow qnodectl collections
narrow qnodectl topics
grep -q "^topics create:" "$work/out"
grep -q "^usage: qnodectl topics create .--partitions" "$work/out"
grep -q "^  qnodectl topics list --bus" "$work/out"
expect 69 "next: start the bus" qnodectl --bus nats://127.0.0.1:1 nodes

start bus nats-server -a 127.0.0.1 -p -1 --ports_file_dir "$work"
bus_up() { ls "$work"/*.ports; }
until_true bus_up
QNODE_BUS=$(grep -o 'nats://[^"]*' "$work"/*.ports | head -n 1)
export QNODE_BUS QNODE_CLUSTER=ctl
expect 69 "is qcoordd running?" qnodectl nodes

qseg generate --kind clustered --rows 4000 --dim 32 --seed 7 --out "$work/base.fbin" >"$work/gen.log"
qseg build --input "$work/base.fbin" --metric l2 --index flat --collection 5 --name small \
  --segment 501 --rows-per-segment 1000 --out-dir "$work/small" >>"$work/gen.log"
start qcoordd qcoordd --bus "$QNODE_BUS" --cluster ctl --state "$work/state.db"
until_true qnodectl nodes
expect 0 "no node has reported" qnodectl nodes
for node in 1 2; do
  start "qnoded-$node" qnoded --node-id $node --bus "$QNODE_BUS" --cluster ctl \
    --state-dir "$work/node-$node" --memory-budget 64M
done
both_up() { [ "$(qnodectl nodes -o json | grep -c '"up"')" = 2 ]; }
until_true both_up
expect 0 "no collections" qnodectl collections list
expect 1 "no-such-folder" qnodectl collections load "$work/no-such-folder"
expect 0 "4 of 4 segments serving" qnodectl collections load "$work/small" --wait --timeout-s 20
expect 69 "node 77 does not report" qnodectl collections load "$work/small" --nodes 77
expect 0 "the collection stays where it is" qnodectl collections load "$work/small" --nodes 2
expect 0 "small" qnodectl collections list
expect 0 "nodeID" qnodectl segments --collection small
expect 0 '"state": "Sealed"' qnodectl segments -o json
json_has "collectionID copyState mem_size nodeID num_rows partitionID segmentID state"
expect 0 "COMPLETE" qnodectl search --collection small --query "$work/base.fbin" --k 3 \
  --limit-queries 4
expect 2 "add --limit-queries" qnodectl search --collection 5 --query "$work/base.fbin" --k 3
expect 1 "no collection has the name or id big" qnodectl search --collection big \
  --query "$work/base.fbin" --k 3 --limit-queries 1
expect 1 "no collection has the name or id 99" qnodectl search --collection 99 \
  --query "$work/base.fbin" --k 3 --limit-queries 1
expect 2 "99999999999999999999 is no value for --segments" qnodectl load-balance --src 1 --dst 2 \
  --segments 99999999999999999999

# A Growing segment is not waited for; digits are an id before they are a name.
qseg build --input "$work/base.fbin" --metric l2 --index flat --collection 6 --name 5 \
  --segment 601 --rows-per-segment 1000 --out-dir "$work/growing" >>"$work/gen.log"
sed -i '0,/Sealed/ s/Sealed/Growing/' "$work/growing/collection.json"
expect 0 "3 of 3 segments serving" qnodectl collections load "$work/growing" --wait --timeout-s 20
expect 0 "Growing" qnodectl segments --collection 6
expect 0 "4 of 4 segments, " qnodectl search --collection 5 --query "$work/base.fbin" --k 3 \
  --limit-queries 1
expect 0 "3 of 3 segments, " qnodectl search --collection 6 --query "$work/base.fbin" --k 3 \
  --limit-queries 1
expect 0 "are released after" qnodectl collections release 6

# tap shows a move as it happens; the operator's trace goes with the loads that it causes.
trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
qnodectl tap --kind LoadSegments,SegmentLoaded,Leaving,SegmentReleased --count 7 --for 30 -o json \
  >"$work/tap" 2>"$work/tap.err" &
tap=$!
qnodectl tap --node 2 --for 30 --count 12 >"$work/lines" 2>"$work/lines.err" &
lines=$!
sleep 0.5
expect 0 "2 of 2 moves done" qnodectl load-balance --src 1 --dst 2 --wait --timeout-s 30 \
  --traceparent $trace
wait "$tap" "$lines"
grep -q "\"kind\":\"LoadSegments\".*\"traceparent\":\"$trace\".*\"segmentsCount\":2" "$work/tap"
[ "$(grep -c "\"kind\":\"SegmentLoaded\".*\"traceparent\":\"$trace\"" "$work/tap")" -ge 2 ]
grep -Eq '"kind":"(Leaving|SegmentReleased)".*"epoch":"[0-9]+\.[0-9]+"' "$work/tap"
grep -Eq "^seen [0-9]+, shown 7, dropped 0$" "$work/tap.err"
grep -Eq "^[0-9:.]{12} agent.2.control  +LoadSegments 50[13], 50[13]" "$work/lines"
grep -Eq "^[0-9:.]{12} event.2 +SegmentLoaded 50[13] @[0-9]+\.[0-9]+ " "$work/lines"
[ "$(awk 'length > 80' "$work/lines" | wc -l)" = 0 ]
checks=$((checks + 7))
expect 0 "" qnodectl tap --for 1 --kind ChangeInfo,SealedSegmentsChangeInfo
expect 2 "no message is a Nonsense" qnodectl tap --kind SegmentLoaded,Nonsense
expect 2 "no value for --traceparent" qnodectl tap --traceparent 00-zz
expect 0 "" qnodectl tap --for 1 --collection small

# Whatever is on the bus, tap neither steers the terminal nor loses digits or empty messages.
qnodectl tap --kind CoordRequest --count 1 --for 10 >"$work/lines" 2>"$work/lines.err" &
lines=$!
qnodectl tap --kind CoordRequest,none --count 2 --for 10 -o json >"$work/tap" 2>"$work/tap.err" &
tap=$!
sleep 0.5
expect 1 "no-such" qnodectl collections load $'/\033[31m\nno-such'
port=${QNODE_BUS##*:}
exec 9<>"/dev/tcp/127.0.0.1/$port"
printf 'CONNECT {"verbose":false}\r\nPUB qnode.ctl.event.1 0\r\n\r\nPING\r\n' >&9
grep -m 1 -q PONG <&9
exec 9>&-
wait "$tap" "$lines"
grep -q '\\x1b\[31m\\x0a' "$work/lines"
grep -Eq '"bytes":0,"kind":"none"' "$work/tap"
grep -Eq '"boot":"[0-9]+","term":"[0-9]+","requestID":"[0-9]+"' "$work/tap"
grep -q "^seen [0-9]*, shown 2, dropped 0$" "$work/tap.err"
checks=$((checks + 4))

# Output that does not arrive is a failure, and a closed one goes nowhere, not into a socket.
full() { "$@" >/dev/full; }
closed() { "$@" >&-; }
expect 1 "qnodectl: write to stdout: No space left on device" full qnodectl nodes
expect 1 "qnodectl: write to stdout: No space left on device" full qnodectl --help
expect 1 "qnodectl: write to stdout: No space left on device" full qnodectl tap --count 1 --for 10
expect 1 "qnoded: write to stdout: No space left on device" full qnoded --help
expect 1 "qcoordd: write to stdout: No space left on device" full qcoordd --version
expect 0 "shown 2, dropped 0" closed qnodectl tap --count 2 --for 10
code=0
timeout 20 qnoded --node-id 9 --bus nats://127.0.0.1:1 --state-dir "$work/node-9" 2>&- || code=$?
[ $code = 69 ]
[ -e "$work/node-9/lock" ]
[ ! -s "$work/node-9/lock" ] || { echo "the log is in the lock"; exit 1; }
checks=$((checks + 1))
expect 0 '"phase": "done"' qnodectl moves -o json
expect 0 "done" qnodectl moves
all_on_2() { [ "$(qnodectl segments --collection small -o json | grep -c '"nodeID": 2')" = 4 ]; }
until_true all_on_2
checks=$((checks + 1))
expect 0 "2 of 2 moves done" qnodectl load-balance --src 2 --dst 1 --segments 501,503 --wait
expect 0 "COMPLETE" qnodectl search --collection small --query "$work/base.fbin" --k 3 \
  --limit-queries 4

kill -9 "${pids[2]}" # node 1
expect 1 "PARTIAL" qnodectl search --collection small --query "$work/base.fbin" --k 3 \
  --limit-queries 1 --deadline-ms 1000
grep -q "missing segment" "$work/out"
grep -Eq "^ +501 +1 +" "$work/out"
expect 1 '"verdict": "PARTIAL"' qnodectl search --collection small --query "$work/base.fbin" --k 3 \
  --limit-queries 1 --deadline-ms 1000 -o json
echo "$checks passed, 0 failed"
