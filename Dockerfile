# The service, for the engine `docker`: it talks to the daemon's socket and makes containers beside its own.
# deploy/compose.yaml runs it: uid 1000, read-only root, a tmpfs on /tmp, its state in a volume.
#
# Its packages are those of requirements.lock, from the package index, or without any network from deploy/wheels, if
# `make wheels` has filled that. The base needs Python 3.11 or newer; without a network also libseccomp2.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY deploy/wheels wheels
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY src src
RUN set -eu; \
    pip="python3 -m pip"; \
    for wheel in wheels/pip-*.whl; do \
      if [ -e "$wheel" ]; then pip="python3 $wheel/pip"; export PIP_NO_INDEX=1 PIP_FIND_LINKS=/source/wheels; fi; \
    done; \
    python3 -m venv --without-pip /opt/holdfast; \
    into="$pip --python /opt/holdfast/bin/python install"; \
    $into --require-hashes -r requirements.lock; \
    $into --target /tmp/builder "hatchling>=1.27"; \
    PYTHONPATH=/tmp/builder $into --no-deps --no-build-isolation .

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
HEALTHCHECK --interval=30s --timeout=5s CMD ["python3", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/healthz' % os.environ.get('PORT', '8000'))"]
ENTRYPOINT ["holdfast"]
CMD ["serve"]
