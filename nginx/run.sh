#!/bin/sh
# Runs nginx with the configuration of render.sh. It has the settings of render.sh, and:
#
#   NGINX_TELL   internal ports of nodes, separated by spaces, such as 'gateway:9090'. run.sh tells one node
#                when sockets must move (default none: all sockets close together, when
#                worker_shutdown_timeout is over)
#
# Signals:
#
#   QUIT         graceful shutdown: finishes running requests, and moves sockets to other nginx one by one
#   TERM, INT    ends at once
#   HUP          reads the settings and certificates again (from files and DNS; the environment does not
#                change), and moves the sockets of the old workers to the new ones, one by one
#   USR1         reopens the access log
#
# The output is nginx's log without queries: a query may contain the id of a polling session, which is all
# that an attacker needs to take over the session.
set -eu

here=$(dirname "$0")
: "${NGINX_TEMP:=/tmp}" "${NGINX_TELL:=}"
configuration=$NGINX_TEMP/nginx.conf
pid=$NGINX_TEMP/nginx.pid
errors=$NGINX_TEMP/errors
runs=0
former=
nginx=
telling=
signalling=

say() { echo "run.sh: $1" >&2; }

# Each rendered configuration has an id, so that the nodes know through which one a socket came.
render() {
  runs=$((runs + 1))
  NGINX_ID="$(hostname | tr -cd 'A-Za-z0-9-')-$$-$(date +%s)-$runs"
  export NGINX_ID
  sh "$here/render.sh" >"$configuration.new"
}
# Checked first: a running nginx would keep its old configuration, and report the error in its log only.
is_good() { nginx -t -q -e stderr -p "$NGINX_TEMP" -c "$configuration.new"; }

# All addresses of a name. One of several nodes may be starting, or gone.
addresses_of() {
  host=${1%:*}
  port=${1##*:}
  found=$(getent ahosts "$host" 2>/dev/null | awk '!seen[$1]++ { print $1 }') || found=
  for address in ${found:-$host}; do
    case $address in
      \[*) echo "$address:$port" ;;
      *:*) echo "[$address]:$port" ;;
      *) echo "$address:$port" ;;
    esac
  done
}

# In the background, so that the script still handles signals.
tell() {
  [ -n "$NGINX_TELL" ] || return 0
  (
    trap - QUIT TERM INT HUP USR1
    # The old workers listen for another moment. A moved socket must not reconnect to them.
    sleep 1
    for round in 1 2 3; do
      for name in $NGINX_TELL; do
        for node in $(addresses_of "$name"); do
          if curl -fsS --connect-timeout 1 -m 5 -o /dev/null -X POST "http://$node/proxies/$1/leave"; then exit 0; fi
        done
      done
      sleep 1
    done
    say "no node could be told that sockets have to leave (round $round): they will leave together"
  ) &
  telling=$!
}

# Until nginx has written its pid it ignores QUIT, and ends at TERM and USR1 as if it were killed. So it gets
# no signal before.
signal() {
  if [ -s "$pid" ]; then
    kill "-$1" "$nginx" 2>/dev/null || true
    return 0
  fi
  (
    trap - QUIT TERM INT HUP USR1
    until [ -s "$pid" ]; do
      kill -0 "$nginx" || exit 0
      sleep 0.1
    done
    kill "-$1" "$nginx"
  ) 2>/dev/null &
  signalling="$signalling $!"
}
leave() {
  signal QUIT
  tell "$NGINX_ID"
}
reload() {
  former=$NGINX_ID
  if ! render || ! is_good; then
    say 'the former configuration stays'
    NGINX_ID=$former
    return 0
  fi
  mv "$configuration.new" "$configuration"
  kill -HUP "$nginx" && tell "$former"
}

# A signal that comes before nginx runs must neither be lost nor end this script alone.
interrupted=
ending=
trap 'interrupted=yes; ending=QUIT' QUIT
trap 'interrupted=yes; ending=TERM' TERM INT
trap ':' HUP USR1

render || exit 1
mv "$configuration.new" "$configuration"
[ -z "$ending" ] || exit 0
rm -f "$errors" "$pid"
mkfifo "$errors"
# The option for line buffering, of GNU sed and of BSD sed.
case $(uname) in
  Linux) line_by_line=-u ;;
  *) line_by_line=-l ;;
esac
# A terminal signals the whole process group. sed ignores that, and ends when nothing writes anymore.
(
  trap '' INT TERM QUIT HUP USR1
  exec sed $line_by_line 's/?[^" ]*/?/g'
) <"$errors" >&2 &
filter=$!

nginx -e stderr -p "$NGINX_TEMP" -c "$configuration" 2>"$errors" &
nginx=$!
trap 'interrupted=yes; leave' QUIT
trap 'interrupted=yes; signal TERM; kill -TERM $telling 2>/dev/null || true' TERM INT
trap 'interrupted=yes; [ ! -s "$pid" ] || reload || true' HUP
trap 'interrupted=yes; signal USR1' USR1
# One that came before these traps.
[ -z "$ending" ] || signal "$ending"

# A signal interrupts `wait`, with a status of its own, whether nginx goes on or has just ended. So wait
# again. 127 means that the status before was already that of nginx, or that there is no nginx.
status=127
while :; do
  latest=0
  wait "$nginx" || latest=$?
  if [ "$latest" -eq 127 ]; then break; fi
  status=$latest
  if [ -z "$interrupted" ]; then break; fi
  interrupted=
done
# Those that waited for nginx's pid must not outlive this script.
for each in $signalling; do wait "$each" 2>/dev/null || true; done
# If nginx crashed, its workers keep the log open. The script then exits without the rest of the log, so that
# its supervisor can restart it.
if [ "$status" -eq 0 ]; then
  [ -z "$telling" ] || wait "$telling" 2>/dev/null || true
  wait "$filter" 2>/dev/null || true
fi
rm -f "$errors"
exit "$status"
