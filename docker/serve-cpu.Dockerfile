# Stage serve-cpu: the embedded SmolLM2-135M (its GGUF file is in the image) with the HTTP API of
# text-generation-inference. Built from the checkout's root: make image-serve-cpu
ARG BASE=agenttuning/base:0.1.0
FROM ${BASE} AS requirements
COPY pyproject.toml requirements.lock agenttuning/containers/requirements.py /tmp/build/
RUN python /tmp/build/requirements.py /tmp/build/pyproject.toml /tmp/build/requirements.lock serve-cpu > /tmp/requirements.txt

FROM ${BASE}
USER root
# llama.cpp is built with OpenMP; the wheel does not bring its library.
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=apt_conf,required=false \
    --mount=type=secret,id=apt_sources,required=false \
    apt-install libgomp1
COPY requirements-model.lock /opt/requirements/model.txt
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=pip_conf,required=false \
    pip-install /opt/requirements/model.txt
COPY --from=requirements /tmp/requirements.txt /opt/requirements/serve-cpu.txt
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=pip_conf,required=false \
    pip-install /opt/requirements/serve-cpu.txt
COPY docker/serve-cpu.sh /usr/local/bin/serve-cpu
COPY agenttuning agenttuning
COPY models.toml ./
RUN python -m compileall -q agenttuning
USER kit
EXPOSE 30135
# The ready file says where the server listens.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "import json, urllib.request; urllib.request.urlopen(json.load(open('/tmp/ready.json'))['url'] + '/health', timeout=4)"]
ENTRYPOINT ["serve-cpu"]
LABEL org.opencontainers.image.title="AgentTuning kit: serve-cpu"
