# One image for the gateway (what it runs by default), the metrics of nginx, the demo's shop and the WeChat
# simulator:
#   docker build -t saoma .
#   docker run saoma node apps/wechat-simulator/src/main.ts
# Node runs the TypeScript sources as they are; only the web page is built.

# The Node that package.json pins; a test compares the two.
FROM node:26.10.0-bookworm-slim AS base
WORKDIR /app

# Only what decides which npm packages there are: a change of a source does not install them again.
FROM base AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json -delete

# Install scripts stay off: the only one that matters fetches a Node, and this image is one. `install
# --no-save` takes the versions of the lock file as `ci` does, and also puts up with a lock that was written
# on another platform.
FROM base AS page
COPY --from=manifests /app ./
RUN npm install --no-save --ignore-scripts --no-audit --no-fund
COPY . .
RUN cd apps/web && node ../../node_modules/vite/bin/vite.js build

FROM base AS packages
COPY --from=manifests /app ./
RUN npm install --no-save --ignore-scripts --no-audit --no-fund --omit=dev --workspace @saoma/gateway --workspace @saoma/shop --workspace @saoma/wechat-simulator --workspace @saoma/nginx-metrics

FROM base
# Demo mode refuses to start with this.
ENV NODE_ENV=production
ENV SAOMA_WEB_ROOT=/app/apps/web/dist
# npm links the workspaces into node_modules, so their folders come along at the same place. What two of them
# need in different versions is in folders of their own: all that was installed is taken, not the first
# node_modules alone.
COPY --from=packages /app ./
COPY packages ./packages
COPY apps/gateway ./apps/gateway
COPY apps/shop ./apps/shop
COPY apps/wechat-simulator ./apps/wechat-simulator
COPY apps/nginx-metrics ./apps/nginx-metrics
COPY --from=page /app/apps/web/dist ./apps/web/dist

# The shop's database and the pool's pictures: a volume that is mounted there takes over whose it is.
RUN install -d -o node -g node /data /codes

USER node
EXPOSE 3000 9090
# Room for young objects doubles the memory of a waiting browser, and so can garbage that is left lying.
CMD ["node", "--max-semi-space-size=2", "--heap-growing-percent=15", "apps/gateway/src/main.ts"]
# Whether the process lives; not whether Redis does, or a restart of Redis would restart every node.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.INTERNAL_PORT || 9090}/healthz`, { signal: AbortSignal.timeout(2000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
