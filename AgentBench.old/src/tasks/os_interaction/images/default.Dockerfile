# Sandbox of the OS task: what the model's shell runs in. Never the place of the evaluator.
# The packages are those of upstream's image (data/os_interaction/res/dockerfiles/default @ e33a45d) plus procps, which Ubuntu's
# image has and a minimal Debian lacks. Built by the task itself when it is missing or was built from another text.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=apt_conf,required=false \
    --mount=type=secret,id=apt_sources,required=false \
    --mount=type=bind,source=docker/build-tools,target=/build-tools \
    sh /build-tools/apt-install bash python3 python3-pip git vim curl wget unzip zip tree procps passwd ca-certificates

# A package source without a network, for the samples that install sudo: one folder, found by `apt update`.
RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=apt_conf,required=false \
    --mount=type=secret,id=apt_sources,required=false \
    --mount=type=bind,source=AgentBench.old/src/tasks/os_interaction/images,target=/build-images \
    sh /build-images/local-packages sudo

# No escape sequences and no completion: a tab in a typed line is a tab.
RUN printf 'set enable-bracketed-paste off\nset disable-completion on\nset bell-style none\n' >> /etc/inputrc
ENV LANG=C.UTF-8
WORKDIR /
CMD ["bash"]
LABEL org.opencontainers.image.title="AgentTuning kit: sandbox of the OS task" kit=agenttuning
