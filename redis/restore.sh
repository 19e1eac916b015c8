#!/bin/sh
# Puts a backup into the data folder of a Redis that keeps an append-only file.
#
#   restore.sh dump.rdb [folder]        the folder is /data unless another is named
#
# With `appendonly yes` Redis reads that file alone: a dump.rdb that is merely copied there is ignored, and
# the database is empty without a word. So the backup is loaded once without the append-only file, which is
# then made from what was loaded.
#
# Redis must not be running on the folder. What was there is kept in before-restore-<time>; when something
# fails it is put back.
set -eu

fail() {
  echo "restore.sh: $1" >&2
  exit 1
}

[ $# -ge 1 ] && [ $# -le 2 ] || fail 'usage: restore.sh dump.rdb [folder]'
backup=$1
data=${2:-/data}
server=$(command -v redis-server || command -v valkey-server) || fail 'neither redis-server nor valkey-server is here'
client=$(command -v redis-cli || command -v valkey-cli) || fail 'neither redis-cli nor valkey-cli is here'
check=$(command -v redis-check-rdb || command -v valkey-check-rdb || true)

[ -r "$backup" ] || fail "$backup cannot be read"
[ -d "$data" ] && [ -w "$data" ] || fail "$data is no folder that can be written to"
case $(head -c 5 "$backup" 2>/dev/null) in
  REDIS | VALKE) ;;
  *) fail "$backup is no backup of Redis: one begins with the letters REDIS" ;;
esac
[ -z "$check" ] || "$check" "$backup" >/dev/null 2>&1 || fail "$backup is damaged: $check tells more"

before=$data/before-restore-$(date -u +%Y%m%dT%H%M%SZ)
# A folder of sockets has a short path, wherever the data are.
sockets=$(mktemp -d)
socket=$sockets/redis.sock
ended() {
  cat "$sockets/log" >&2
  fail "Redis $1: what it said is above"
}
ask() { "$client" -s "$socket" -e "$@" 2>/dev/null; }
pid=
is_ours=
is_aside=

put_back() {
  status=$?
  trap - EXIT
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
  [ -z "$pid" ] || wait "$pid" 2>/dev/null || true
  rm -rf "$sockets"
  if [ "$status" -ne 0 ] && [ -n "$is_ours" ]; then
    rm -f "$data/restored.rdb"
    # What Redis has made goes only where what was there before is aside.
    [ -z "$is_aside" ] || rm -rf "$data/appendonlydir" "$data/appendonly.aof"
    for part in "$before"/*; do [ ! -e "$part" ] || mv "$part" "$data/"; done
    rmdir "$before"
    echo 'restore.sh: nothing was changed' >&2
  fi
  exit "$status"
}
trap put_back EXIT
trap 'exit 1' INT TERM HUP

mkdir "$before"
is_ours=yes
# First of all: it may lie among what is put aside.
cp "$backup" "$data/restored.rdb"
for part in appendonlydir appendonly.aof dump.rdb; do
  [ ! -e "$data/$part" ] || mv "$data/$part" "$before/"
done
is_aside=yes

"$server" --dir "$data" --dbfilename restored.rdb --appendonly no --save '' --port 0 --unixsocket "$socket" \
  --loglevel warning >"$sockets/log" 2>&1 &
pid=$!
# It answers LOADING while it reads: as long as it lives, it is waited for.
until ask ping >/dev/null; do
  kill -0 "$pid" 2>/dev/null || ended 'ended while it read the backup'
  sleep 0.2
done
keys=$(ask dbsize)
[ "$keys" -gt 0 ] || fail 'there is nothing in the backup'

ask config set appendonly yes >/dev/null || ended 'cannot write its append-only file'
field() { ask info persistence | tr -d '\r' | sed -n "s/^$1://p"; }
while [ "$(field aof_rewrite_in_progress)" != 0 ] || [ "$(field aof_rewrite_scheduled)" != 0 ]; do
  kill -0 "$pid" 2>/dev/null || ended 'ended while it wrote its append-only file'
  sleep 0.2
done
[ "$(field aof_last_bgrewrite_status)" = ok ] || ended 'could not write its append-only file'
ask shutdown nosave >/dev/null || true
wait "$pid" 2>/dev/null || true
pid=
rm -f "$data/restored.rdb"
# Whether the next start finds it.
[ -d "$data/appendonlydir" ] || [ -e "$data/appendonly.aof" ] || fail 'there is no append-only file after all'
echo "$keys keys are restored. What was in $data before is in $before."
