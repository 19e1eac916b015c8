# Two images. The first is for production: the gateway, and the metrics of nginx.
#   docker build -t saoma .
# The second has the demo's shop and the WeChat simulator besides.
#   docker build -t saoma-demo --target demo .
#   docker run saoma-demo node apps/wechat-simulator/src/main.ts
# Node runs the TypeScript sources as they are; only the web page is built.

# The Node that package.json pins; a test compares the two.
FROM node:26.10.0-bookworm-slim AS base
WORKDIR /app

# Only the files that decide which npm packages there are. So a changed source file does not install them
# again.
FROM base AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json -delete

# Install scripts stay off: the only one that matters fetches a Node, and this image has one.
# `install --no-save` takes the versions of the lock file, as `ci` does. It also accepts a lock file that was
# written on another platform.
FROM base AS page
COPY --from=manifests /app ./
RUN npm install --no-save --ignore-scripts --no-audit --no-fund
COPY . .
RUN cd apps/web && node ../../node_modules/vite/bin/vite.js build

FROM base AS packages
COPY --from=manifests /app ./
RUN npm install --no-save --ignore-scripts --no-audit --no-fund --omit=dev --workspace @saoma/gateway --workspace @saoma/nginx-metrics

FROM packages AS demo-packages
RUN npm install --no-save --ignore-scripts --no-audit --no-fund --omit=dev --workspace @saoma/gateway --workspace @saoma/nginx-metrics --workspace @saoma/shop --workspace @saoma/wechat-simulator

# Nothing reads these at run time: declarations, source maps, pages. They are nearly half of all bytes. Most
# licences ask that their text comes with each copy, so it stays.
FROM packages AS lean-packages
RUN find . -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.md' \) \
  ! -iname '*licen[cs]e*' ! -iname '*notice*' ! -iname '*copying*' -delete

FROM demo-packages AS lean-demo-packages
RUN find . -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.md' \) \
  ! -iname '*licen[cs]e*' ! -iname '*notice*' ! -iname '*copying*' -delete

FROM base AS production
LABEL org.opencontainers.image.title="Saoma" \
      org.opencontainers.image.description="Log in by scanning a code, and live messages: one node of a cluster" \
      org.opencontainers.image.source="https://github.com/saoma/saoma" \
      org.opencontainers.image.licenses="MIT"
# A node installs nothing. What is not there cannot be used against it.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn*
# With this a node refuses to start in demo mode.
ENV NODE_ENV=production
ENV SAOMA_WEB_ROOT=/app/apps/web/dist
# npm links the workspaces into node_modules, so their folders must be at the same place. A package that two
# of them need in different versions is in a node_modules folder of a workspace. So all that was installed is
# copied, not only the first node_modules.
COPY --from=lean-packages /app ./
COPY packages ./packages
COPY apps/gateway ./apps/gateway
COPY apps/nginx-metrics ./apps/nginx-metrics
COPY --from=page /app/apps/web/dist ./apps/web/dist

# For the pool's pictures. An empty volume that is mounted there gets the owner of the folder.
RUN install -d -o node -g node /codes

USER node
EXPOSE 3000 9090
# More room for young objects would double the memory of a waiting browser. Garbage that is collected late can
# do so too.
CMD ["node", "--max-semi-space-size=2", "--heap-growing-percent=15", "apps/gateway/src/main.ts"]
# Asks only whether the process lives. If it also asked for Redis, a restart of Redis would restart every
# node.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.INTERNAL_PORT || 9090}/healthz`, { signal: AbortSignal.timeout(2000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

FROM production AS demo
USER root
COPY --from=lean-demo-packages /app ./
COPY apps/shop ./apps/shop
COPY apps/wechat-simulator ./apps/wechat-simulator
# For the shop's database.
RUN install -d -o node -g node /data
USER node
CMD ["node", "apps/shop/src/main.ts"]
# The two have other addresses for it; compose names them.
HEALTHCHECK NONE

# What is built without `--target`.
FROM production
