# docker build --tag miio2mqtt .
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY scripts/build.ts ./scripts/
COPY src ./src
RUN npm run build
RUN mkdir data

FROM node:24-trixie-slim
ENV NODE_ENV=production
ENV NODE_OPTIONS=--disable-proto=throw
ENV MIIO2MQTT_CONFIG=/data/config.yaml
ENV MIIO2MQTT_STATE_DIR=/data
ENV HEALTH_FILE=/tmp/miio2mqtt.health
# Days begin at midnight UTC, unless the container is started with a time zone: --env TZ=Europe/Berlin
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
# Only /data and /tmp are ever written: the root file system can be read-only.
COPY --from=build --chown=1000:1000 /app/data /data
VOLUME /data
# The image's user `node`, by number, so that an orchestrator sees that it is not root.
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["node", "/app/dist/app/healthcheck.js"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["run"]
