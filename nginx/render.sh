#!/bin/sh
# Prints the nginx configuration. Settings come from the environment.
#
# The nodes, as a list or, if they scale, by DNS names. One of:
#
#   SAOMA_NODES        'a=10.0.0.1:3000 b=10.0.0.2:3000', node id and public port of each node
#
#   SAOMA_CONTAINERS   'gateway:3000', a name with the addresses of all nodes. Each node's id must be a name
#                      too: 12 hexadecimal digits, as Docker gives every container. nginx asks
#                      NGINX_RESOLVER for these names, and for the shop's, at each use
#
#   SAOMA_SERVICE      'saoma-gateway:3000', a name for all ready nodes, resolved at start
#   SAOMA_NODE_NAMES   'saoma-gateway-*.saoma-nodes:3000', the name of one node; the node's id, a number,
#                      replaces the *. nginx asks NGINX_RESOLVER for it at each request of a session, so
#                      nodes can come and go without a reload
#
# nginx itself:
#
#   NGINX_LISTEN       addresses, separated by spaces; IPv6 addresses are left out on a machine without IPv6
#                      (default 127.0.0.1:8080)
#   NGINX_PROBE        address for monitoring: /nginx-health, and /nginx-status with the number of
#                      connections. nginx answers there even if clients use all sockets  (default none)
#   NGINX_TLS_CERT, NGINX_TLS_KEY   files (PEM): NGINX_LISTEN speaks TLS then  (default none)
#   NGINX_REDIRECT     addresses that redirect visitors to https, with NGINX_TLS_CERT  (default none)
#   NGINX_PROXY_PROTOCOL   on: the proxies in front (NGINX_TRUST) send the visitor's address by the PROXY
#                          protocol  (default off)
#   NGINX_TEMP         folder for temporary files and pid   (default /tmp)
#   NGINX_ACCESS_LOG   file, or off                         (default /dev/stdout)
#   NGINX_WORKERS      processes                            (default auto)
#   NGINX_CONNECTIONS  per worker; two for every socket     (default 16384, for 7424 sockets)
#   NGINX_METRICS      host:port (UDP) of apps/nginx-metrics; nginx sends it the status of each answer by
#                      syslog  (default none)
#   NGINX_LIMIT_SENDERS  concurrent requests with a body from one address (IPv6: network), which a whole
#                        company may share; nginx answers further ones with 503  (default 1000)
#   NGINX_ID           identifies this run to the nodes, see run.sh  (default none)
#   NGINX_TRUST        networks of the proxies in front; nginx trusts their X-Forwarded-For and -Proto:
#                      '10.0.0.0/8 …' (default none)
#   NGINX_SHOP         host:port of the demo's shop, for the location /shop/ (default none: there is no such
#                      location)
#   SAOMA_LIMIT_MESSAGE_BYTES  the same as for the nodes, so that nginx passes on what they accept
#                              (default 1048576, the maximum)
#   NGINX_RESOLVER     DNS servers that nginx asks at run time, or a file such as /etc/resolv.conf that names
#                      them; the file's last search domain completes the names. With SAOMA_NODES it needs
#                      nginx 1.27.3. (default none: names are resolved at start; with SAOMA_SERVICE
#                      /etc/resolv.conf, with SAOMA_CONTAINERS 127.0.0.11, which is Docker's own)
set -eu

fail() {
  echo "render.sh: $1" >&2
  exit 1
}

: "${SAOMA_NODES:=}" "${SAOMA_CONTAINERS:=}" "${SAOMA_SERVICE:=}" "${SAOMA_NODE_NAMES:=}"
: "${NGINX_LISTEN:=127.0.0.1:8080}" "${NGINX_TEMP:=/tmp}" "${NGINX_ACCESS_LOG:=/dev/stdout}" "${NGINX_WORKERS:=auto}"
: "${NGINX_PROBE:=}" "${NGINX_TLS_CERT:=}" "${NGINX_TLS_KEY:=}" "${NGINX_REDIRECT:=}" "${NGINX_PROXY_PROTOCOL:=off}"
: "${NGINX_LIMIT_SENDERS:=1000}" "${NGINX_ID:=}" "${NGINX_METRICS:=}"
: "${NGINX_CONNECTIONS:=16384}" "${NGINX_TRUST:=}" "${NGINX_RESOLVER:=}" "${NGINX_SHOP:=}"
: "${SAOMA_LIMIT_MESSAGE_BYTES:=1048576}"

# A value must not contain anything that ends a directive.
for value in "$SAOMA_CONTAINERS" "$SAOMA_SERVICE" "$SAOMA_NODE_NAMES" "$NGINX_LISTEN" "$NGINX_WORKERS" "$NGINX_CONNECTIONS" "$NGINX_TRUST" "$NGINX_RESOLVER" "$NGINX_SHOP" "$NGINX_PROBE" "$NGINX_REDIRECT" "$NGINX_ID" "$NGINX_METRICS"; do
  case $value in
    *[!A-Za-z0-9._:/\ \[\]*-]*) fail "a setting contains a character that has no place there: $value" ;;
  esac
done
for path in "$NGINX_TEMP" "$NGINX_ACCESS_LOG" "$NGINX_TLS_CERT" "$NGINX_TLS_KEY"; do
  case $path in
    *[\"\\\$\;\{\}]*) fail "a path contains a character that has a meaning for nginx: $path" ;;
  esac
done
forms=0
for form in "$SAOMA_NODES" "$SAOMA_CONTAINERS" "$SAOMA_SERVICE$SAOMA_NODE_NAMES"; do
  [ -z "$form" ] || forms=$((forms + 1))
done
[ "$forms" -le 1 ] || fail 'set one of SAOMA_NODES, SAOMA_CONTAINERS, or SAOMA_SERVICE with SAOMA_NODE_NAMES'
if [ -n "$SAOMA_SERVICE$SAOMA_NODE_NAMES" ]; then
  echo "$SAOMA_SERVICE" | grep -Eqx '(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}' ||
    fail "SAOMA_SERVICE is '$SAOMA_SERVICE', which is not host:port"
  echo "$SAOMA_NODE_NAMES" | grep -Eqx '[A-Za-z0-9.-]*\*[A-Za-z0-9.-]*:[0-9]{1,5}' ||
    fail "SAOMA_NODE_NAMES is '$SAOMA_NODE_NAMES', which is not name:port with one * for the id of the node"
  : "${NGINX_RESOLVER:=/etc/resolv.conf}"
elif [ -n "$SAOMA_CONTAINERS" ]; then
  echo "$SAOMA_CONTAINERS" | grep -Eqx '[A-Za-z0-9._-]+:[0-9]{1,5}' ||
    fail "SAOMA_CONTAINERS is '$SAOMA_CONTAINERS', which is not name:port"
  : "${NGINX_RESOLVER:=127.0.0.11}"
else
  [ -n "$SAOMA_NODES" ] || fail "SAOMA_NODES is empty: set it to 'a=host:port b=host:port'"
fi
for node in $SAOMA_NODES; do
  echo "$node" | grep -Eq '^[a-z0-9]{1,16}=(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$' ||
    fail "SAOMA_NODES holds '$node', which is not id=host:port with an id of 1 to 16 of a-z, 0-9"
done
[ -z "$NGINX_SHOP" ] || echo "$NGINX_SHOP" | grep -Eq '^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$' ||
  fail "NGINX_SHOP is '$NGINX_SHOP', which is not host:port"

for number in NGINX_CONNECTIONS NGINX_LIMIT_SENDERS; do
  eval "value=\$$number"
  echo "$value" | grep -Eqx '[1-9][0-9]{1,6}' || fail "$number is '$value', which is not a number from 10 to 9999999"
done
[ "$NGINX_LIMIT_SENDERS" -le 65535 ] || fail "NGINX_LIMIT_SENDERS is '$NGINX_LIMIT_SENDERS': nginx counts to 65535"
case "$NGINX_TLS_CERT:$NGINX_TLS_KEY" in
  : | ?*:?*) ;;
  *) fail 'NGINX_TLS_CERT and NGINX_TLS_KEY go together: set both or none' ;;
esac
for path in "$NGINX_TLS_CERT" "$NGINX_TLS_KEY"; do
  [ -z "$path" ] || [ -r "$path" ] || fail "NGINX_TLS_CERT or NGINX_TLS_KEY names a file that cannot be read: $path"
done
[ -z "$NGINX_REDIRECT" ] || [ -n "$NGINX_TLS_CERT" ] || fail 'NGINX_REDIRECT sends visitors to https: set NGINX_TLS_CERT'
case $NGINX_PROXY_PROTOCOL in
  on) [ -n "$NGINX_TRUST" ] || fail 'NGINX_PROXY_PROTOCOL is on: set NGINX_TRUST to the network that speaks it' ;;
  off) ;;
  *) fail "NGINX_PROXY_PROTOCOL is '$NGINX_PROXY_PROTOCOL', which is neither on nor off" ;;
esac

# nginx does not start with an IPv6 address on a kernel without IPv6.
without_ipv6() {
  kept=
  for address in $1; do
    case $address in
      \[*) [ -e /proc/net/if_inet6 ] || [ ! -d /proc/net ] || continue ;;
    esac
    kept="$kept${kept:+ }$address"
  done
  echo "$kept"
}
NGINX_LISTEN=$(without_ipv6 "$NGINX_LISTEN")
NGINX_PROBE=$(without_ipv6 "$NGINX_PROBE")
NGINX_REDIRECT=$(without_ipv6 "$NGINX_REDIRECT")
[ -n "$NGINX_LISTEN" ] || fail 'NGINX_LISTEN has addresses of IPv6 only, and this machine has no IPv6'

echo "$SAOMA_LIMIT_MESSAGE_BYTES" | grep -Eqx '[0-9]{2,7}' ||
  fail "SAOMA_LIMIT_MESSAGE_BYTES is '$SAOMA_LIMIT_MESSAGE_BYTES', which is not a number of bytes"

search=
case $NGINX_RESOLVER in
  /*)
    [ -r "$NGINX_RESOLVER" ] || fail "NGINX_RESOLVER names a file that cannot be read: $NGINX_RESOLVER"
    # The last of several search lines counts, as in resolv.conf(5).
    search=$(awk '$1 == "search" { domain = $2 } END { print domain }' "$NGINX_RESOLVER")
    NGINX_RESOLVER=$(awk '$1 == "nameserver" { printf "%s%s", (count++ ? " " : ""), ($2 ~ /:/ ? "[" $2 "]" : $2) }' "$NGINX_RESOLVER")
    echo "$NGINX_RESOLVER" | grep -Eqx '[][0-9a-fA-F:. ]+' ||
      fail "the file of NGINX_RESOLVER names no DNS server that nginx can use: '$NGINX_RESOLVER'"
    echo "$search" | grep -Eqx '[A-Za-z0-9.-]*' || fail "the file of NGINX_RESOLVER has an invalid search domain: $search"
    ;;
esac

# Whether nginx has at least this version: 1027003 is 1.27.3.
version=$(nginx -v 2>&1 | sed -n 's|.*nginx/\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*|\1 \2 \3|p')
is_since() {
  # shellcheck disable=SC2086
  set -- "$1" ${version:-0 0 0}
  [ $((($2 * 1000 + $3) * 1000 + $4)) -ge "$1" ]
}
# Without it, a stopping worker may close a keep-alive connection just as a request arrives on it.
keepalive_min=
if is_since 1027004; then keepalive_min='keepalive_min_timeout 10s;'; fi
# Names in variables, which nginx resolves at each use, work in any version.
if [ -n "$SAOMA_NODES" ] && [ -n "$NGINX_RESOLVER" ] && ! is_since 1027003; then
  echo 'render.sh: this nginx is older than 1.27.3, so the names of the nodes are looked up once, at start' >&2
  NGINX_RESOLVER=
fi

# The same number that nginx itself chooses.
[ "$NGINX_WORKERS" != auto ] || NGINX_WORKERS=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
# Two descriptors per connection and some to spare, as far as the limit of this process allows.
files=$((NGINX_CONNECTIONS * 2 + 1024))
hard_limit=$(ulimit -H -n)
[ "$hard_limit" = unlimited ] || [ "$hard_limit" -ge "$files" ] || files=$hard_limit

here=$(dirname "$0")
awk -v files="$files" -v nodes="$SAOMA_NODES" -v containers="$SAOMA_CONTAINERS" \
  -v service="$SAOMA_SERVICE" -v node_names="$SAOMA_NODE_NAMES" -v search="$search" \
  -v listen="$NGINX_LISTEN" -v temp="$NGINX_TEMP" -v access_log="$NGINX_ACCESS_LOG" -v workers="$NGINX_WORKERS" \
  -v connections="$NGINX_CONNECTIONS" -v trust="$NGINX_TRUST" -v resolver="$NGINX_RESOLVER" -v shop="$NGINX_SHOP" \
  -v message="$SAOMA_LIMIT_MESSAGE_BYTES" -v probe="$NGINX_PROBE" -v cert="$NGINX_TLS_CERT" -v key="$NGINX_TLS_KEY" \
  -v redirect="$NGINX_REDIRECT" -v proxy_protocol="$NGINX_PROXY_PROTOCOL" -v senders="$NGINX_LIMIT_SENDERS" -v run="$NGINX_ID" -v keepalive_min="$keepalive_min" -v metrics="$NGINX_METRICS" '
  # One listen directive per address.
  function listens(addresses, flags,   count, address, i, text) {
    count = split(addresses, address, " ")
    for (i = 1; i <= count; i++) text = text "    listen " address[i] flags ";\n"
    return text
  }
  BEGIN {
    any = "saoma"
    any_socket = "saoma_sockets"
    tries = 2
    after_answer = "\047\047"
    kept = "5s"
    resolve = nodes != "" && resolver != "" ? " resolve" : ""
    count = split(nodes, node, " ")
    for (i = 1; i <= count; i++) {
      at = index(node[i], "=")
      id = substr(node[i], 1, at - 1)
      address_of = "    server " substr(node[i], at + 1)
      server = address_of " max_fails=2 fail_timeout=2s" resolve ";\n"
      servers = servers server
      socket_servers = socket_servers address_of " max_fails=0" resolve ";\n"
      upstreams = upstreams "  upstream saoma_" id " {\n    zone saoma_" id " 64k;\n" server "    keepalive 16;\n    keepalive_timeout 5s;\n  }\n"
      sessions = sessions "    \"~^" id "-\" saoma_" id ";\n"
    }
    if (service != "") {
      # Listed twice, so that nginx retries a failed request: each connection may lead to another node.
      # max_fails=0, because a failure of one node says nothing about the others.
      server = "    server " service " max_fails=0;\n"
      servers = server server
      socket_servers = servers
      # A keep-alive connection stays with its node, so its life is short. A new node then gets its share, and
      # a node that leaves the service has no connections left when it stops.
      kept = "2s"
      kept_in_all = "keepalive_time 2s;"
      at = index(node_names, ":")
      name = substr(node_names, 1, at - 1) (search == "" ? "" : "." search) substr(node_names, at)
      # Digits only, so that a client cannot send nginx to any other host.
      sub(/\*/, "$saoma_node", name)
      sessions = "    \"~^(?<saoma_node>0|[1-9][0-9]{0,3})-\" \"" name "\";\n"
      # A replaced node has a new address, so nginx caches an address for one second, whatever its TTL. A
      # silent DNS server delays a request no longer than a silent node does.
      resolver_line = "resolver " resolver " valid=1s;\n  resolver_timeout 2s;"
    } else if (containers != "") {
      resolver_line = "resolver " resolver " valid=1s;\n  resolver_timeout 2s;"
      # Only valid container ids, because the client writes the session id.
      sessions = "    \"~^(?<saoma_node>[0-9a-f]{12})-\" \"$saoma_node" substr(containers, index(containers, ":")) "\";\n"
      # A variable instead of an upstream with `resolve`. When the addresses of such an upstream change, nginx
      # fails the requests that are trying a removed one. With a variable each request resolves the name
      # itself, and tries one address after another. Several may have gone within that second.
      any = any_socket = "$saoma_containers"
      tries = 0
      upstreams = "  map \047\047 $saoma_containers {\n    default " containers ";\n  }\n"
      servers = socket_servers = "    server 127.0.0.1:1 down; # not used\n"
      # There is no keep-alive in this mode, so the node must close the connection. If nginx closed it, nginx
      # would run out of ports.
      after_answer = "close"
    } else if (resolver != "") resolver_line = "resolver " resolver " valid=5s;"
    by_protocol = proxy_protocol == "on"
    flags = (cert == "" ? "" : " ssl") (by_protocol ? " proxy_protocol" : "") " backlog=4096"
    count = split(trust, network, " ")
    for (i = 1; i <= count; i++) {
      # A proxy with the PROXY protocol passes on client headers unchanged, so its headers are not trusted.
      if (!by_protocol) trusted = trusted "    " network[i] " 1;\n"
      real_ip = real_ip "set_real_ip_from " network[i] ";\n  "
    }
    if (count > 0) real_ip = real_ip (by_protocol ? "real_ip_header proxy_protocol;" : "real_ip_header X-Forwarded-For;\n  real_ip_recursive on;")
    stranger = by_protocol ? "" : "\"~^0:.\" $realip_remote_addr;"
    if (cert != "") tls = "    ssl_certificate \"" cert "\";\n    ssl_certificate_key \"" key "\";\n    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_session_cache shared:saoma_tls:10m;\n    ssl_session_timeout 1d;\n    ssl_session_tickets off;\n"
    if (redirect != "") redirect_server = "  server {\n" listens(redirect, by_protocol ? " proxy_protocol" : "") "    return 308 https://$host$request_uri;\n  }\n"
    # Reserved for keep-alive connections, plain requests and the probe.
    spare = int(connections / 16) + (connections > 1024 ? 512 : int(connections / 4))
    sockets = int((connections - spare) / 2)
    if (sockets > 65535) sockets = 65535
    if (probe != "") probe_server = "  # For monitoring, not for clients.\n  server {\n" listens(probe, "") "    access_log off;\n    location = /nginx-health {\n      return 204;\n    }\n    location = /nginx-status {\n      stub_status;\n    }\n    location = /nginx-limits {\n      return 200 \"sockets " sockets * workers "\\n\";\n    }\n    location / {\n      return 404;\n    }\n  }\n"
    if (shop != "" && containers != "") {
      upstreams = upstreams "  map \047\047 $saoma_shop {\n    default " shop ";\n  }\n"
      shop_location = "\n    location /shop/ {\n      proxy_request_buffering off;\n      proxy_pass http://$saoma_shop;\n    }\n"
    } else if (shop != "") {
      shop_upstream = "  upstream shop {\n    zone shop 64k;\n    server " shop resolve ";\n    keepalive 16;\n    keepalive_timeout 5s;\n  }\n"
      shop_location = "\n    location /shop/ {\n      proxy_request_buffering off;\n      proxy_pass http://shop;\n    }\n"
    }

    # A message and its envelope, by the same rule as in the nodes. A polling client sends as many as fit.
    poll = message + 4096 > 65536 ? message + 4096 : 65536
    publish = message + 4096 > 1048576 ? message + 4096 : 1048576
    value["POLL_BYTES"] = poll; value["PUBLISH_BYTES"] = publish
    value["ANY"] = any; value["ANY_SOCKET"] = any_socket; value["TRIES"] = tries; value["AFTER_ANSWER"] = after_answer
    value["KEPT"] = kept; value["KEPT_IN_ALL"] = kept_in_all
    value["RESOLVER"] = resolver_line
    value["WORKERS"] = workers; value["FILES"] = files; value["TEMP"] = temp; value["CONNECTIONS"] = connections
    value["LISTEN"] = listens(listen, flags); value["REAL_IP"] = real_ip; value["TLS"] = tls
    value["REDIRECT_SERVER"] = redirect_server; value["PROBE_SERVER"] = probe_server; value["STRANGER"] = stranger
    value["SOCKETS"] = sockets; value["SENDERS"] = senders; value["ID"] = run; # A directive `off` would turn off the syslog too.
    if (access_log != "off") logs = "  access_log \"" access_log "\" saoma;\n"
    if (metrics != "") logs = logs "  access_log syslog:server=" metrics ",nohostname,tag=saoma saoma_metrics;\n"
    value["ACCESS_LOGS"] = logs == "" ? "  access_log off;\n" : logs
    value["KEEPALIVE_MIN"] = keepalive_min
    value["TRUSTED"] = trusted; value["SERVERS"] = servers; value["SOCKET_SERVERS"] = socket_servers; value["UPSTREAMS"] = upstreams; value["SESSIONS"] = sessions
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
    # A line whose placeholders are empty is left out.
    if (line !~ /^ *$/ || $0 ~ /^ *$/) print line
  }
' "$here/nginx.conf.template"
