#!/bin/sh
# Puts a backup into the data folder of a Redis that keeps an append-only file.
#
#   restore.sh dump.rdb [folder]        the default folder is /data
#
# With `appendonly yes` Redis reads only the append-only file. It ignores a dump.rdb in the folder, and starts
# empty without an error. So this script loads the backup once without the append-only file, and then lets
# Redis write that file.
#
# Redis must not be running on the folder. The script keeps the previous data in before-restore-<time>, and
# puts them back if it fails.
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
[ -d "$data" ] && [ -w "$data" ] || fail "$data is no writable folder"
case $(head -c 5 "$backup" 2>/dev/null) in
  REDIS | VALKE) ;;
  *) fail "$backup is no backup of Redis: one begins with the letters REDIS" ;;
esac
[ -z "$check" ] || "$check" "$backup" >/dev/null 2>&1 || fail "$backup is damaged: run $check for details"

before=$data/before-restore-$(date -u +%Y%m%dT%H%M%SZ)
# The path of a Unix socket must be short, so the socket gets its own folder.
sockets=$(mktemp -d)
socket=$sockets/redis.sock
ended() {
  cat "$sockets/log" >&2
  fail "Redis $1: its output is above"
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
    # Deletes what Redis has made only if the previous data are safe in the other folder.
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
# Copied first, because the backup may be one of the files that are moved next.
cp "$backup" "$data/restored.rdb"
for part in appendonlydir appendonly.aof dump.rdb; do
  [ ! -e "$data/$part" ] || mv "$data/$part" "$before/"
done
is_aside=yes

"$server" --dir "$data" --dbfilename restored.rdb --appendonly no --save '' --port 0 --unixsocket "$socket" \
  --loglevel warning >"$sockets/log" 2>&1 &
pid=$!
# Redis answers LOADING while it reads the backup. Wait as long as it runs.
until ask ping >/dev/null; do
  kill -0 "$pid" 2>/dev/null || ended 'ended while it read the backup'
  sleep 0.2
done
keys=$(ask dbsize)
[ "$keys" -gt 0 ] || fail 'the backup is empty'

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
# Checks that the next start finds the file.
[ -d "$data/appendonlydir" ] || [ -e "$data/appendonly.aof" ] || fail 'Redis wrote no append-only file'
echo "$keys keys are restored. What was in $data before is in $before."
