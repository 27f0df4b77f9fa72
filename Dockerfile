# The hub in a container; server/README.md says how it is run.

FROM node:24-slim AS app
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# What is compiled comes in packages of its own, one for each platform: nothing is built here.
RUN npm ci --omit=dev --ignore-scripts
COPY . .
# Whatever modes a clone has.
RUN chmod -R a+rX .

FROM node:24-slim
WORKDIR /app
COPY --from=app /app ./
RUN ln -s /app/server/lectern.js /usr/local/bin/lectern && install -d -m 0700 -o node -g node /data
# tsx would write to /tmp, which is not there to write to in a container that is read-only.
ENV LECTERN_DATA_FOLDER=/data LECTERN_HOST=0.0.0.0 TSX_DISABLE_CACHE=1
USER node
VOLUME /data
EXPOSE 4747
HEALTHCHECK --start-period=60s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.LECTERN_PORT || 4747}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["lectern"]
CMD ["serve"]
