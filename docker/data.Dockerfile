# Stage data: fetches and checks the pinned files. Built from the checkout's root: make image-data
ARG BASE=agenttuning/base:0.1.0
FROM ${BASE}
COPY agenttuning agenttuning
COPY models.toml ./
COPY data/sources.toml data/
USER root
RUN python -m compileall -q agenttuning
USER kit
CMD ["data", "list"]
LABEL org.opencontainers.image.title="AgentTuning kit: data"
