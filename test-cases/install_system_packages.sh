#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Install the system packages that the tests use beside Python's: Debian and Ubuntu, as root.
# Elsewhere install the same by hand; tests that need one say its name when it is missing.
set -euo pipefail

packages=(chromium g++-aarch64-linux-gnu shellcheck)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "installed ${missing[*]}"
