#!/bin/bash
# Kafka's own program for its image makes the configuration from the variables KAFKA_* and formats an empty data folder.
set -euo pipefail
export CLUSTER_ID=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
libraries=(-cp '/opt/kafka/libs/*')
if ! output=$(java "${libraries[@]}" kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1); then
  grep -qi 'already formatted' <<< "$output" || { echo "$output"; exit 1; }
fi
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP_OPTS:-} -XX:+UseG1GC -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml \
  "${libraries[@]}" kafka.Kafka /opt/kafka/config/server.properties
