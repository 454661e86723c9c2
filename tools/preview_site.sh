#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Build the learning path's pages as a small documentation site, and serve it on this
# machine only. Any warning of Hugo, missing image or dead link fails the build.
set -euo pipefail

readonly PATH_BELOW=learning-paths/embedded-and-microcontrollers/sme-executorch-profiling
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
site=$root/tools/site out=$root/build/site port=1313 build_only=no

usage() {
  cat <<'TEXT'
usage: preview_site.sh [--build-only] [--port N]

Build the learning path of content/ with Hugo and serve it at http://127.0.0.1:1313/,
built again whenever a page changes. Needs Hugo: setup_repo.sh --with-tests installs it.

  --build-only  write the site to build/site/ and end
  --port N      serve there instead
  --help        show this text

environment:
  SITE_PAGES   a folder with the learning path's pages (default: the repository's own)
  SITE_IMAGES  a folder with their images (default: images/ beside the pages, else the repository's)
  SITE_OUT     where --build-only writes (default: build/site)
TEXT
}

fail() {
  printf 'error: %s, %s: %s\n' "$1" "$2" "$3" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --build-only) build_only=yes ;;
    --port)
      case ${2:-} in '' | *[!0-9]*) fail "--port takes a number" "on the command line of preview_site.sh" "see preview_site.sh --help" ;; esac
      port=$2
      shift ;;
    --help | -h) usage; exit 0 ;;
    *) fail "$1 is not a flag" "on the command line of preview_site.sh" "see preview_site.sh --help" ;;
  esac
  shift
done

# find_hugo: sets hugo, the environment's own before another
find_hugo() {
  hugo=$root/.venv/bin/hugo
  if [ -x "$hugo" ]; then return; fi
  hugo=$(command -v hugo) || fail "Hugo is missing" "in $root/.venv and on PATH" "run model_profiling/scripts/setup_repo.sh --with-tests"
}

# mount SOURCE TARGET
mount() { printf '[[module.mounts]]\nsource = "%s"\ntarget = "%s"\n' "$1" "$2"; }

find_hugo
pages=${SITE_PAGES:-$root/content/$PATH_BELOW}
[ -f "$pages/_index.md" ] || fail "there is no _index.md" "in $pages" "name the learning path's folder in SITE_PAGES"
pages=$(cd "$pages" && pwd -P)
images=${SITE_IMAGES:-$root/images}
if [ -n "${SITE_OUT:-}" ]; then
  mkdir -p "$SITE_OUT"
  out=$(cd "$SITE_OUT" && pwd -P)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
  for part in layouts assets; do mount "$site/$part" "$part"; done
  mount "$pages" "content/$PATH_BELOW"
  # Laid out as Arm's repository has them, the images are there already.
  if [ -n "${SITE_IMAGES:-}" ] || [ ! -d "$pages/images" ]; then
    mount "$(cd "$images" && pwd -P)" "content/$PATH_BELOW/images"
  fi
} >"$work/mounts.toml"

options=(--source "$site" --config "$site/hugo.toml,$work/mounts.toml" --noBuildLock --panicOnWarning
  --cacheDir "$work/cache")
if [ "$build_only" = yes ]; then
  "$hugo" build "${options[@]}" --destination "$out" --cleanDestinationDir >"$work/log" 2>&1 || {
    # What Hugo says of itself, and the stack after a warning, would hide the line that matters.
    awk '/^goroutine /{ exit } !/Running Hugo|^(Start building|hugo v|Total in)/ && NF' "$work/log" >&2
    fail "the site does not build" "in $pages" "correct what the lines above name"
  }
  printf '%s\n' "$out"
  exit 0
fi
"$hugo" server "${options[@]}" --renderToMemory --bind 127.0.0.1 --port "$port" --baseURL "http://127.0.0.1:$port/"
