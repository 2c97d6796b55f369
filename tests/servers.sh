#!/usr/bin/env bash
# Installs the servers that tests talk to, from Debian's packages, without starting any of them. Where that may not be
# done (no root, no apt, no network), the tests that need a missing one are skipped and name it.
set -u
declare -A programs=(
  [prometheus]=/usr/bin/prometheus
  [postgresql]=/usr/lib/postgresql/*/bin/initdb
  [victoria-metrics]=/usr/bin/victoria-metrics
  [strace]=/usr/bin/strace
)
missing=()
for package in "${!programs[@]}"; do
  compgen -G "${programs[$package]}" > /dev/null || missing+=("$package")
done
((${#missing[@]})) || exit 0
if ! command -v apt-get > /dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "not installed, so tests that need them are skipped: ${missing[*]} (apt-get install ${missing[*]})" >&2
  exit 0
fi
# Packages would start their services at once; policy-rc.d says no, as it does when images are built.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && trap 'rm -f "$policy"' EXIT; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null ||
  echo "apt-get could not install all of ${missing[*]}; tests that need what is missing are skipped" >&2
