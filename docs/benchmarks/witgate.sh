#!/bin/sh
# witgate for a benchmark of gateways: `witgate.sh install|configure|start|stop`. What a benchmark decides stands in the environment:
#
#   UPSTREAM  the API behind it                            [http://127.0.0.1:9100/v1]
#   LISTEN    where clients connect                        [127.0.0.1:41002]
#   ADMIN     where health and metrics are                 [127.0.0.1:41003]
#   POLICIES  `none`, or `bundled`: the three that it has  [bundled]
#   FOLDER    configuration, journal, log and process id   [witgate-benchmark below the present folder]
#   WITGATE   the program                                  [what `install` builds]
#
# Pin it to cores as any other process, with `taskset` before `start`: it runs a worker for each core that it may have.
set -eu

root="$(cd "$(dirname "$0")/../.." && pwd)"
upstream="${UPSTREAM:-http://127.0.0.1:9100/v1}"
listen="${LISTEN:-127.0.0.1:41002}"
admin="${ADMIN:-127.0.0.1:41003}"
folder="${FOLDER:-$PWD/witgate-benchmark}"
program="${WITGATE:-${CARGO_TARGET_DIR:-$root/target}/release/witgate}"
case "${POLICIES:-bundled}" in
  none) chain="[]" ;;
  bundled) chain="[prompt-injection, pii-detector, audit-logger]" ;;
  *)
    echo "POLICIES is none or bundled" >&2
    exit 2
    ;;
esac

# Tries until a command succeeds, for three minutes.
try() {
  for _ in $(seq 1800); do
    if "$@"; then return 0; fi
    sleep 0.1
  done
  echo "waited in vain: $*" >&2
  exit 1
}

# The address behind these words in the log.
announced() { sed -n "s|.*$1 http://\([0-9.:]*\).*|\1|p" "$folder/log" | head -n 1; }
has_announced() {
  kill -0 "$(cat "$folder/pid")" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  [ -n "$(announced 'status at')" ]
}
is_ready() { curl -fsS -o "$folder/ready" "http://$(announced 'status at')/readyz" 2>/dev/null; }
is_gone() { ! kill -0 "$(cat "$folder/pid")" 2>/dev/null; }

case "${1:-}" in
  install)
    cd "$root"
    rustup target add wasm32-wasip2
    cargo build --release --locked
    ;;
  configure)
    mkdir -p "$folder"
    cat >"$folder/policy-config.yaml" <<CONFIG
pack: {name: benchmark, version: 0.1.0, enabled: true}
policies: {chain: $chain}
providers:
  targets:
    - {id: upstream, provider: cerebras, base_url: "$upstream", secret_key_ref: {env: WITGATE_BENCHMARK_KEY}}
journal: {store: "sqlite:$folder/journal.db"}
CONFIG
    ;;
  start)
    WITGATE_BENCHMARK_KEY="${WITGATE_BENCHMARK_KEY:-none}" "$program" run \
      --listen "$listen" --admin "$admin" --policy-config "$folder/policy-config.yaml" \
      --max-exchanges 1024 >"$folder/log" 2>&1 </dev/null &
    echo $! >"$folder/pid"
    try has_announced
    try is_ready
    echo "http://$(announced 'witgate [0-9.]* at')/v1/chat/completions"
    ;;
  stop)
    kill "$(cat "$folder/pid")"
    try is_gone
    ;;
  *)
    echo "usage: witgate.sh install|configure|start|stop" >&2
    exit 2
    ;;
esac
