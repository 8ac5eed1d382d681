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

FROM base AS runtime
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072
ENV NODE_OPTIONS="--disable-warning=TimeoutNegativeWarning --max-semi-space-size=4 --max-old-space-size=256"
RUN npm install --no-save --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY shared shared
COPY activities activities
COPY workflows workflows
COPY temporal temporal
COPY services services
COPY bench bench
COPY scripts scripts
COPY --from=build /app/prisma prisma
RUN node services/orchestrator/workflow-bundle.ts
USER node
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HTTP_PORT}/health/ready`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
