# One image for every service: what they need together is hardly more than what one of them needs.
#
#   docker build -t modelium:latest .
#   docker run modelium:latest python3 -m modelium.watcher
#
# SERVICE is the service that a container runs when it is given no command.
ARG BASE_IMAGE=python:3.11-slim

# The page at /ui: node is needed here and nowhere else.
FROM ${BASE_IMAGE} AS ui
# An index and a registry of a site; empty means pip's and npm's own defaults.
ARG PIP_INDEX_URL=
ARG NPM_CONFIG_REGISTRY=
WORKDIR /src
COPY requirements/node.txt requirements/
COPY scripts/build-ui scripts/
COPY ui/ ui/
# One layer, without what was needed to make it.
RUN [ -n "${PIP_INDEX_URL}" ] || unset PIP_INDEX_URL; \
    [ -n "${NPM_CONFIG_REGISTRY}" ] || unset NPM_CONFIG_REGISTRY; \
    scripts/build-ui && rm -rf .modelium ui/node_modules "${HOME}/.npm"

FROM ${BASE_IMAGE} AS build
# An index of a site; empty means pip's own default.
ARG PIP_INDEX_URL=
WORKDIR /src
COPY requirements/services.txt requirements/
RUN [ -n "${PIP_INDEX_URL}" ] || unset PIP_INDEX_URL; \
    python3 -m venv /opt/modelium \
    && /opt/modelium/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes \
        --requirement requirements/services.txt
COPY pyproject.toml README.md ./
COPY libs/ libs/
COPY services/ services/
COPY --from=ui /src/services/gateway/modelium/gateway/pages/ui services/gateway/modelium/gateway/pages/ui
RUN /opt/modelium/bin/pip install --quiet --no-deps --no-build-isolation --no-index . \
    && /opt/modelium/bin/pip uninstall --quiet --yes hatchling editables setuptools pip

FROM ${BASE_IMAGE}
ARG SERVICE=gateway
RUN useradd --uid 10001 --user-group --no-create-home modelium
COPY --from=build /opt/modelium /opt/modelium
ENV PATH=/opt/modelium/bin:${PATH} HOME=/tmp SERVICE=${SERVICE} \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT []
CMD ["sh", "-c", "exec python3 -m modelium.$(echo ${SERVICE} | tr - _)"]
