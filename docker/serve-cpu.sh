#!/bin/sh
# Serves on the loopback, or with LISTEN=container on the container's own address, which `docker run
# -p 127.0.0.1:PORT:30135` publishes to the host's loopback alone.
host=127.0.0.1
[ "${LISTEN:-}" = container ] && host=$(hostname -i | cut -d ' ' -f 1)
exec python -m agenttuning.cli serve --host "$host" --port 30135 --ready-file /tmp/ready.json "$@"
