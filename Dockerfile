# The service, for the engine `docker`: it talks to the daemon's socket and makes containers beside its own.
# deploy/compose.yaml runs it: uid 1000, read-only root, a tmpfs on /tmp, its state in a volume.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python3 -m venv /opt/holdfast && /opt/holdfast/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
RUN /opt/holdfast/bin/pip install --no-cache-dir "hatchling>=1.27" --target /tmp/builder
COPY src src
RUN PYTHONPATH=/tmp/builder /opt/holdfast/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && rm -rf /tmp/builder

FROM ${BASE}
RUN (command -v ldconfig && ldconfig -p | grep -q libseccomp.so.2) \
    || (apt-get update && apt-get install -y --no-install-recommends libseccomp2 && rm -rf /var/lib/apt/lists/*)
COPY --from=build /opt/holdfast /opt/holdfast
RUN mkdir -p /state && chown 1000:1000 /state
USER 1000:1000
ENV PATH=/opt/holdfast/bin:/usr/local/bin:/usr/bin:/bin \
    HOLDFAST_ENGINE=docker HOLDFAST_HOST=0.0.0.0 HOLDFAST_STATE_DIR=/state HOME=/tmp PYTHONDONTWRITEBYTECODE=1
VOLUME /state
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz')"]
ENTRYPOINT ["holdfast"]
CMD ["serve"]
