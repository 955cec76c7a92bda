# Two images of one file: --target controlplane, --target dataplane. `make image` builds both.
# BASE_IMAGE is any Debian or Ubuntu with Python 3.11 (it is built in as well as run in); give it by digest where builds
# must be repeatable. What is installed beside it comes from deploy/image/*.lock, with hashes.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# -- what both images have beside their packages: a process 1 that collects orphans and forwards signals -------------------
FROM ${BASE_IMAGE} AS base
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt

# -- what builds --------------------------------------------------------------------------------------------------------------
FROM base AS builder
RUN apt-get update -qq \
 && python3 -c 'import sys; sys.exit("BASE_IMAGE must have Python 3.11" if sys.version_info[:2] != (3, 11) else 0)' \
 && apt-get install -y -qq --no-install-recommends gcc libc6-dev binutils \
 && headers="$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" \
 && { test -e "$headers" || apt-get install -y -qq --no-install-recommends python3-dev; } \
 && { python3 -m ensurepip --version >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends python3-venv; } \
 && python3 -m venv /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/image/build.lock deploy/image/
RUN /build/bin/pip install --quiet --require-hashes -r deploy/image/build.lock
COPY LICENSE pyproject.toml setup.py ./
# what a wheel says of itself is read by nobody here, and must not have all compiled again when it changes
RUN touch README.md

# Each plane's own environment in /opt/sluice: what its lock says, and a wheel of its own packages. The data plane's request
# path is compiled (minutes); of the data plane the control plane needs the wire alone, as it is written. The control plane comes
# first: builders that know no targets they can leave out would compile for it too.
FROM builder AS installed-controlplane
COPY dataplane/__init__.py dataplane/
COPY dataplane/wire dataplane/wire
COPY controlplane controlplane
COPY sluicectl sluicectl
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /dist .
COPY deploy/image/install deploy/image/controlplane.lock deploy/image/
RUN sh deploy/image/install controlplane /dist

# -- the images --------------------------------------------------------------------------------------------------------------
FROM base AS final
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=https://sluice.dev
LABEL org.opencontainers.image.vendor="Sluice" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.url="https://sluice.dev" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/sluice/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp

FROM final AS controlplane
LABEL org.opencontainers.image.title="sluice-controlplane" \
      org.opencontainers.image.description="The control plane of Sluice: desired state, one order of changes, REST."
COPY --from=installed-controlplane /opt/sluice /opt/sluice
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "sluice-controlplane"]
ENV SLUICE_HEALTH_URL=http://127.0.0.1:8000/healthz
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python3", "-I", "-c", \
  "import os, urllib.request as r; r.urlopen(os.environ['SLUICE_HEALTH_URL'], timeout=2)"]

FROM builder AS installed-dataplane
COPY dataplane dataplane
# 0: as it is written, for trying the image out; built in seconds instead of minutes, and a request costs three times as much
ARG COMPILE=1
RUN SLUICE_COMPILE=${COMPILE} /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /dist .
COPY deploy/image/install deploy/image/dataplane.lock deploy/image/
RUN sh deploy/image/install dataplane /dist

FROM final AS dataplane
LABEL org.opencontainers.image.title="sluice-dataplane" \
      org.opencontainers.image.description="The data plane of Sluice: balances, queues and limits HTTP traffic."
COPY --from=installed-dataplane /opt/sluice /opt/sluice
EXPOSE 8080 8404
# HAProxy's soft stop: docs/decisions/0017-leaving-without-a-loss.md
STOPSIGNAL SIGUSR1
ENTRYPOINT ["tini", "--", "sluice-dataplane"]
CMD ["-f", "/etc/sluice/sluice.cfg"]
# Wherever the configuration has its statistics; with another address set this, with none --no-healthcheck.
ENV SLUICE_HEALTH_URL=http://127.0.0.1:8404/livez
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python3", "-I", "-c", \
  "import os, urllib.request as r; r.urlopen(os.environ['SLUICE_HEALTH_URL'], timeout=2)"]
