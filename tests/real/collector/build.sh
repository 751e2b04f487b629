#!/bin/sh
# Builds the collector of manifest.yaml with the OpenTelemetry Collector builder, and prints the path of the program.
# It is kept in ${QUOTASCOPE_CACHE:-$HOME/.cache/quotascope} and built anew only when the manifest or this script changed.
# Needs Go; the first build takes some minutes.
set -eu

BUILDER=go.opentelemetry.io/collector/cmd/builder@v0.155.0

here=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$here/manifest.yaml" "$here/build.sh" | cksum | tr ' ' -)
cache=${QUOTASCOPE_CACHE:-$HOME/.cache/quotascope}
kept="$cache/otelcol-$version"

if [ ! -x "$kept" ]; then
    command -v go >/dev/null || {
        echo "the collector is built with Go: install it from https://go.dev/dl and put it on the PATH" >&2
        exit 1
    }
    work="$cache/build-$$"
    mkdir -p "$work"
    trap 'rm -rf "$work"' EXIT
    GOBIN="$work" CGO_ENABLED=0 go install "$BUILDER" >&2
    sed "s|^dist:|dist:\n  output_path: $work/dist|" "$here/manifest.yaml" >"$work/manifest.yaml"
    CGO_ENABLED=0 "$work/builder" --config "$work/manifest.yaml" >&2
    # A rename within one directory is whole or not at all: a second run never meets half a program.
    mv "$work/dist/otelcol-quotascope" "$kept"
fi
echo "$kept"
