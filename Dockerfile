# One image for the eight services, the set-up jobs and the benchmark: what runs is in docker-compose.yml.
FROM node:24.21.0-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

# Not with npm ci: see scripts/bootstrap.mjs. No package needs its install script, since Node is the image's own and
# Prisma's engines are not used.
FROM base AS build
RUN npm install --no-save --ignore-scripts --no-audit --no-fund
COPY prisma prisma
RUN node prisma/generate.ts
COPY tsconfig.json ./
COPY shared shared
COPY web web
RUN node web/build.ts web/dist

# The packages that run. Without their names, npm installs no package that is for development and optional elsewhere.
# Not kept: Temporal's worker for other machines and its sources, Prisma for other databases, types and source maps.
FROM base AS packages
RUN npm pkg delete devDependencies \
  && npm install --no-save --omit=dev --omit=peer --ignore-scripts --no-audit --no-fund \
  && cd node_modules \
  && find @temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 \
    ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} + \
  && rm -r @temporalio/core-bridge/sdk-core \
  && find @prisma/client/runtime -name 'query_compiler_*' ! -name '*_small_bg.postgresql.*' -delete \
  && find . -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM base AS runtime
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072
ENV NODE_OPTIONS="--disable-warning=TimeoutNegativeWarning --max-semi-space-size=4 --max-old-space-size=256"
COPY --from=packages /app/node_modules node_modules
COPY shared shared
COPY activities activities
COPY workflows workflows
COPY temporal temporal
COPY services services
COPY provider provider
COPY bench bench
COPY lab lab
COPY scripts scripts
COPY --from=build /app/prisma prisma
COPY --from=build /app/web web
RUN node services/orchestrator/worker/bundle.ts
# Where the simulated provider keeps its ledger, on a volume.
RUN mkdir /data && chown node:node /data
USER node
# By the shell: a Node that only asks this costs 20 times the CPU.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$HTTP_PORT && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
