#!/bin/sh
# A first argument that is a flag is the server's.
set -eu
case "${1:-}" in
  -*) set -- traefik "$@" ;;
esac
exec "$@"
