# Stage report: tables, figures and transcripts of a folder of runs. Built from the checkout's root: make image-report
ARG BASE=agenttuning/base:0.1.0
FROM ${BASE} AS requirements
COPY pyproject.toml requirements.lock agenttuning/containers/requirements.py /tmp/build/
RUN python /tmp/build/requirements.py /tmp/build/pyproject.toml /tmp/build/requirements.lock report > /tmp/requirements.txt

FROM ${BASE}
USER root
COPY --from=requirements /tmp/requirements.txt /opt/requirements/report.txt
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=pip_conf,required=false \
    pip-install /opt/requirements/report.txt
ENV MPLCONFIGDIR=/tmp
COPY agenttuning agenttuning
COPY models.toml ./
COPY data/sources.toml data/
RUN python -m compileall -q agenttuning
USER kit
CMD ["report"]
LABEL org.opencontainers.image.title="AgentTuning kit: report"
