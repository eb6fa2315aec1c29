# What every image of the kit stands on: Debian's Python in a virtual environment, the packages of the shared
# library, a user without rights. Built from the checkout's root: make image-base
# BASE_IMAGE is any Debian 12 image; `make base-image` makes one without a registry.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS system
COPY docker/build-tools/ /usr/local/bin/
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=apt_conf,required=false \
    --mount=type=secret,id=apt_sources,required=false \
    apt-install python3 python3-venv ca-certificates \
    && python3 -m venv /opt/venv && /opt/venv/bin/pip uninstall --quiet --yes setuptools \
    && useradd --uid 1000 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin kit \
    && mkdir /kit
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    PYTHONPATH=/kit AGENTTUNING_HOME=/kit PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp LANG=C.UTF-8
WORKDIR /kit

FROM system AS requirements
COPY pyproject.toml requirements.lock agenttuning/containers/requirements.py ./
RUN python requirements.py pyproject.toml requirements.lock > /requirements.txt

FROM system
COPY --from=requirements /requirements.txt /opt/requirements/base.txt
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=pip_conf,required=false \
    pip-install /opt/requirements/base.txt
USER kit
ENTRYPOINT ["python", "-m", "agenttuning.cli"]
LABEL org.opencontainers.image.title="AgentTuning kit: base" kit=agenttuning
