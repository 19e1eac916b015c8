#!/bin/sh
# Prints the nginx configuration. Settings come from the environment:
#
#   SAOMA_NODES        required: 'a=10.0.0.1:3000 b=10.0.0.2:3000', node id and public port of each node
#   NGINX_LISTEN       addresses, separated by spaces       (default 127.0.0.1:8080)
#   NGINX_TEMP         folder for temporary files and pid   (default /tmp)
#   NGINX_ACCESS_LOG   file, or off                         (default /dev/stdout)
#   NGINX_WORKERS      processes                            (default auto)
#   NGINX_CONNECTIONS  per worker; two for every socket     (default 16384)
#   NGINX_TRUST        networks of the proxies in front, whose X-Forwarded-For and -Proto are believed: '10.0.0.0/8 …' (default none)
#   NGINX_SHOP         host:port of the demo's shop, which then answers below /shop/ (default none: there is no such location)
#   NGINX_RESOLVER     DNS server to ask again for the nodes' names while running; needs nginx 1.27.3 (default none: names are looked up at start)
set -eu

fail() {
  echo "render.sh: $1" >&2
  exit 1
}

: "${SAOMA_NODES:=}" "${NGINX_LISTEN:=127.0.0.1:8080}" "${NGINX_TEMP:=/tmp}" "${NGINX_ACCESS_LOG:=/dev/stdout}" "${NGINX_WORKERS:=auto}"
: "${NGINX_CONNECTIONS:=16384}" "${NGINX_TRUST:=}" "${NGINX_RESOLVER:=}" "${NGINX_SHOP:=}"

# What is put into the configuration must not be able to end a directive.
for value in "$NGINX_LISTEN" "$NGINX_WORKERS" "$NGINX_CONNECTIONS" "$NGINX_TRUST" "$NGINX_RESOLVER" "$NGINX_SHOP"; do
  case $value in
    *[!A-Za-z0-9._:/\ \[\]*-]*) fail "a setting contains a character that has no place there: $value" ;;
  esac
done
for path in "$NGINX_TEMP" "$NGINX_ACCESS_LOG"; do
  case $path in
    *[\"\\\$\;\{\}]*) fail "a path contains a character that nginx would take for its own: $path" ;;
  esac
done
[ -n "$SAOMA_NODES" ] || fail "SAOMA_NODES is empty: set it to 'a=host:port b=host:port'"
for node in $SAOMA_NODES; do
  echo "$node" | grep -Eq '^[a-z0-9]{1,16}=(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$' ||
    fail "SAOMA_NODES holds '$node', which is not id=host:port with an id of 1 to 16 of a-z, 0-9"
done
[ -z "$NGINX_SHOP" ] || echo "$NGINX_SHOP" | grep -Eq '^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$' ||
  fail "NGINX_SHOP is '$NGINX_SHOP', which is not host:port"

if [ -n "$NGINX_RESOLVER" ] && ! nginx -v 2>&1 |
  awk -F'[/. ]' '{ for (i = 1; i < NF; i++) if ($i == "nginx" && $(i + 1) ~ /^[0-9]+$/) { found = ($(i + 1) * 1000 + $(i + 2)) * 1000 + $(i + 3) } } END { exit !(found >= 1027003) }'; then
  echo 'render.sh: this nginx is older than 1.27.3, so the names of the nodes are looked up once, at start' >&2
  NGINX_RESOLVER=
fi

# Two descriptors for every socket and some to spare, as far as the limit of this process allows.
files=$((NGINX_CONNECTIONS * 2 + 1024))
hard_limit=$(ulimit -H -n)
[ "$hard_limit" = unlimited ] || [ "$hard_limit" -ge "$files" ] || files=$hard_limit

here=$(dirname "$0")
awk -v files="$files" -v nodes="$SAOMA_NODES" -v listen="$NGINX_LISTEN" -v temp="$NGINX_TEMP" -v access_log="$NGINX_ACCESS_LOG" -v workers="$NGINX_WORKERS" \
  -v connections="$NGINX_CONNECTIONS" -v trust="$NGINX_TRUST" -v resolver="$NGINX_RESOLVER" -v shop="$NGINX_SHOP" '
  BEGIN {
    resolve = resolver == "" ? "" : " resolve"
    count = split(nodes, node, " ")
    for (i = 1; i <= count; i++) {
      at = index(node[i], "=")
      id = substr(node[i], 1, at - 1)
      server = "    server " substr(node[i], at + 1) " max_fails=2 fail_timeout=2s" resolve ";\n"
      servers = servers server
      upstreams = upstreams "  upstream saoma_" id " {\n    zone saoma_" id " 64k;\n" server "    keepalive 16;\n    keepalive_timeout 5s;\n  }\n"
      sessions = sessions "    \"~^" id "-\" saoma_" id ";\n"
    }
    count = split(listen, address, " ")
    for (i = 2; i <= count; i++) more = more "    listen " address[i] " backlog=4096;\n"
    count = split(trust, network, " ")
    for (i = 1; i <= count; i++) {
      trusted = trusted "    " network[i] " 1;\n"
      real_ip = real_ip "set_real_ip_from " network[i] ";\n  "
    }
    if (count > 0) real_ip = real_ip "real_ip_header X-Forwarded-For;\n  real_ip_recursive on;"
    if (shop != "") {
      shop_upstream = "  upstream shop {\n    zone shop 64k;\n    server " shop resolve ";\n    keepalive 16;\n    keepalive_timeout 5s;\n  }\n"
      shop_location = "\n    location /shop/ {\n      proxy_pass http://shop;\n    }\n"
    }

    value["RESOLVER"] = resolver == "" ? "" : "resolver " resolver " valid=5s;"
    value["WORKERS"] = workers; value["FILES"] = files; value["TEMP"] = temp; value["ACCESS_LOG"] = access_log; value["CONNECTIONS"] = connections
    value["LISTEN"] = address[1]; value["LISTEN_MORE"] = more; value["REAL_IP"] = real_ip
    value["TRUSTED"] = trusted; value["SERVERS"] = servers; value["UPSTREAMS"] = upstreams; value["SESSIONS"] = sessions
    value["SHOP_UPSTREAM"] = shop_upstream; value["SHOP_LOCATION"] = shop_location
  }
  {
    rest = $0
    line = ""
    while (match(rest, /@[A-Z_]+@/)) {
      name = substr(rest, RSTART + 1, RLENGTH - 2)
      line = line substr(rest, 1, RSTART - 1) (name in value ? value[name] : "@" name "@")
      rest = substr(rest, RSTART + RLENGTH)
    }
    line = line rest
    sub(/\n$/, "", line)
    # A name that stands for nothing leaves no empty line.
    if (line !~ /^ *$/ || $0 ~ /^ *$/) print line
  }
' "$here/nginx.conf.template"
