#!/bin/sh
# Runs nginx with the configuration that render.sh prints. Settings are those of render.sh, and:
#
#   NGINX_TELL   internal ports of nodes, separated by spaces, such as 'gateway:9090'; one of them is told
#                when sockets have to leave (default none: they leave together, when worker_shutdown_timeout
#                is over)
#
# Signals:
#
#   QUIT         ends in order: what is being answered is answered, and sockets are sent elsewhere one by one
#   TERM, INT    ends at once
#   HUP          reads the settings and certificates anew (those in files and DNS; an environment does not
#                change), and sends the sockets of the former configuration elsewhere one by one
#   USR1         opens the access log anew
#
# Its log is nginx's without queries: the id of a polling session stands there, and whoever has it is that
# session.
set -eu

here=$(dirname "$0")
: "${NGINX_TEMP:=/tmp}" "${NGINX_TELL:=}"
configuration=$NGINX_TEMP/nginx.conf
errors=$NGINX_TEMP/errors
runs=0
former=
nginx=
telling=

say() { echo "run.sh: $1" >&2; }

# Each rendering has a name of its own, so that the nodes know which sockets came through which.
render() {
  runs=$((runs + 1))
  NGINX_ID="$(hostname | tr -cd 'A-Za-z0-9-')-$$-$(date +%s)-$runs"
  export NGINX_ID
  sh "$here/render.sh" >"$configuration.new"
}
# nginx that runs would go on with what it has, and say so in its log alone.
is_good() { nginx -t -q -e stderr -p "$NGINX_TEMP" -c "$configuration.new"; }

# The addresses behind a name: of several nodes one may be just starting, or gone.
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

# In the background: signals are heard meanwhile.
tell() {
  [ -n "$NGINX_TELL" ] || return 0
  (
    trap - QUIT TERM INT HUP USR1
    # Its workers listen for a moment yet, and who is sent away should not come to them.
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

leave() {
  [ -z "$nginx" ] || kill -QUIT "$nginx" 2>/dev/null || true
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

render || exit 1
mv "$configuration.new" "$configuration"
rm -f "$errors"
mkfifo "$errors"
# GNU's word for it, and that of BSD.
case $(uname) in
  Linux) line_by_line=-u ;;
  *) line_by_line=-l ;;
esac
# Signals of a terminal go to all of a group; this one ends when nobody writes any more.
(
  trap '' INT TERM QUIT HUP USR1
  exec sed $line_by_line 's/?[^" ]*/?/g'
) <"$errors" >&2 &
filter=$!

nginx -e stderr -p "$NGINX_TEMP" -c "$configuration" 2>"$errors" &
nginx=$!
trap leave QUIT
trap 'kill -TERM "$nginx" $telling 2>/dev/null || true' TERM INT
trap reload HUP
trap 'kill -USR1 "$nginx" 2>/dev/null || true' USR1

# A signal ends the wait, not nginx.
status=0
while kill -0 "$nginx" 2>/dev/null; do
  status=0
  wait "$nginx" || status=$?
done
# Its workers hold the log open, when nginx has not ended in order: then this ends without the rest of it, for
# whoever starts it again.
if [ "$status" -eq 0 ]; then
  [ -z "$telling" ] || wait "$telling" 2>/dev/null || true
  wait "$filter" 2>/dev/null || true
fi
rm -f "$errors"
exit "$status"
