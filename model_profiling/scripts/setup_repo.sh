#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Make .venv with the kit and all that it needs. Works from a checkout and as the only
# file downloaded; runs with the bash 3.2 of macOS. Running it again is harmless.
set -euo pipefail

readonly KIT=sme-executorch-profiling
readonly KIT_ADDRESS=https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling
readonly EXECUTORCH_ADDRESS=https://github.com/pytorch/executorch.git
# PyTorch's CPU builds: what PyPI has for Linux brings gigabytes of CUDA. Only torch is
# taken from this page (pip's --find-links), so no other package can come from there.
readonly TORCH_CPU_PAGE=${KIT_TORCH_PAGE:-https://download.pytorch.org/whl/cpu/torch/}
readonly PROBE_SECONDS=3
readonly OLDEST_PYTHON=3.10 NEWEST_PYTHON=3.14 # what ExecuTorch 1.5.1 and torch 2.13.0 have wheels for
readonly OLDEST_GLIBC=2.28 OLDEST_MACOS=14     # what those wheels are built for
readonly OLDEST_PIP=22.3                       # editable installs of pyproject.toml, --dry-run --report
readonly NEEDED_MB_EXPORT=3500 NEEDED_MB=1800  # measured: 1.7 GB (0.9 GB) installed, and pip's downloads
# Byte code of all packages but big ones of which nothing here imports more than a file. Files that
# are no valid Python (some packages carry templates) fail nothing.
readonly COMPILE='import compileall, re, sys
unused = r"tests?|testing|examples|prototype|physics|coremltools|sklearn|fontTools|pygments|mypyc?|playwright|transformers"
unused += r"|huggingface_hub|libcst|narwhals|executorch/backends/(?!xnnpack|transforms)\w+"
compileall.compile_dir(sys.argv[1], quiet=2, workers=0, rx=re.compile(f"/({unused})/"))'
readonly EXPORT_LINE='with export'

usage() {
  cat <<'TEXT'
usage: setup_repo.sh [--without-export] [--with-fleet] [--with-tests] [--python PY] [--from-source] [--check]

Make .venv (in the checkout this script stands in, else in the current directory)
with the kit, ExecuTorch and a CPU build of PyTorch, all pinned, and what runs
the skills in agent_skill_ml_profiling.

  --without-export  leave PyTorch out: profile ready-made .pte files with the native runner
  --with-fleet      add what sweeps over several hosts need
  --with-tests      add what test-cases/run_tests.sh needs
  --python PY       the Python to use (default: the first fitting one on PATH)
  --from-source     clone ExecuTorch at the pinned tag into ./executorch, for source-built runners
  --check           look at the prerequisites only, and install nothing
  --help            show this text

environment:
  KIT_SOURCE      install the kit from there instead: a git address, a folder or a wheel
  KIT_TORCH_PAGE  a mirror of the page that lists PyTorch's CPU wheels
TEXT
}

say() { printf '%s\n' "$*"; }

# fail WHAT WHERE FIX: the kit's contract for what a user can fix
fail() {
  printf 'error: %s, %s: %s\n' "$1" "$2" "$3" >&2
  exit 2
}

# ---------------------------------------------------------------- prerequisites

missing=0

# finding STATE SUBJECT DETAIL [FIX]
finding() {
  if [ "$1" = missing ]; then missing=$((missing + 1)); fi
  if [ "$1" = missing ] || [ "$check_only" = yes ]; then
    printf '  %-9s%-16s %s%s\n' "$1" "$2" "$3" "${4:+: $4}"
  fi
}

# install_hint DEBIAN FEDORA MACOS: the command that installs something on this system
install_hint() {
  if [ "$(uname -s)" = Darwin ]; then
    say "$3"
  elif command -v dnf >/dev/null 2>&1; then
    say "$2"
  else
    say "$1"
  fi
}

# version_at_least HAVE WANTED: compares major and minor numbers
version_at_least() {
  local have_major=${1%%.*} have_minor=0 wanted_major=${2%%.*} wanted_minor=0
  case $1 in *.*) have_minor=${1#*.} have_minor=${have_minor%%[!0-9]*} ;; esac
  case $2 in *.*) wanted_minor=${2#*.} ;; esac
  [ "$have_major" -gt "$wanted_major" ] ||
    { [ "$have_major" -eq "$wanted_major" ] && [ "${have_minor:-0}" -ge "$wanted_minor" ]; }
}

# usable PROGRAM: it is there. On macOS, starting a stub in /usr/bin opens a dialog instead.
usable() {
  local path
  path=$(command -v "$1" 2>/dev/null) || return 1
  case $path in
    /usr/bin/*) [ "$(uname -s)" != Darwin ] || xcode-select -p >/dev/null 2>&1 ;;
  esac
}

# python_version PY: prints "3.11", or fails where PY does not run
python_version() {
  usable "$1" && "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

fits() { version_at_least "$1" "$OLDEST_PYTHON" && version_at_least "$NEWEST_PYTHON" "$1"; }

# find_python: sets python and python_found (what was seen, for the message)
find_python() {
  local candidate version
  python='' python_found=''
  set -- python3 python3.13 python3.12 python3.11 python3.10 python3.14 python
  if [ -n "$wanted_python" ]; then set -- "$wanted_python"; fi
  for candidate in "$@"; do
    version=$(python_version "$candidate") || continue
    if fits "$version"; then
      python=$candidate
      return
    fi
    python_found="${python_found:+$python_found, }$candidate is $version"
  done
}

check_python() {
  local hint
  find_python
  if [ -z "$python" ]; then
    hint=$(install_hint 'sudo apt install python3 python3-venv' 'sudo dnf install python3.12' 'brew install python@3.12')
    if [ -n "$wanted_python" ]; then hint="name another with --python, or $hint"; fi
    finding missing python "$OLDEST_PYTHON to $NEWEST_PYTHON is needed (${python_found:-${wanted_python:-python3} does not run})" "$hint"
    return
  fi
  finding ok python "$("$python" -c 'import sys; print(sys.version.split()[0], "at", sys.executable)')"
  if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    finding ok venv "venv and ensurepip import"
  else
    finding missing venv "$python has no venv with ensurepip" "$(install_hint \
      "sudo apt install python$(python_version "$python")-venv" 'sudo dnf install python3' 'brew reinstall python@3.12')"
  fi
}

check_git() {
  if usable git; then
    finding ok git "$(git --version)"
  elif [ "$git_needed" = yes ]; then
    finding missing git "not found" "$(install_hint 'sudo apt install git' 'sudo dnf install git' 'xcode-select --install')"
  fi
}

check_disk() {
  local need=$NEEDED_MB_EXPORT free
  if [ "$export" = no ]; then need=$NEEDED_MB; fi
  free=$(df -Pk "$root" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }') || free=''
  if [ -z "$free" ]; then
    finding optional "disk space" "cannot be seen; $need MB are needed in $root"
  elif [ "$free" -lt "$need" ]; then
    finding missing "disk space" "$free MB free in $root, $need MB needed" "free some, or set up on another disk"
  else
    finding ok "disk space" "$free MB free in $root"
  fi
}

# The wheels are for the machine that Python was built for, which under Rosetta is not this one's.
check_platform() {
  local system machine release
  system=$(uname -s) machine=$(uname -m)
  if [ -n "$python" ]; then machine=$("$python" -c 'import platform; print(platform.machine())'); fi
  case $system-$machine in
    Linux-x86_64 | Linux-aarch64)
      release=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{ print $2 }') || release=''
      if [ -z "$release" ]; then
        finding missing platform "$system $machine without glibc" "use a distribution with glibc $OLDEST_GLIBC or newer"
      elif version_at_least "$release" "$OLDEST_GLIBC"; then
        finding ok platform "$system $machine, glibc $release"
      else
        finding missing platform "glibc $release, $OLDEST_GLIBC or newer is needed" "use Debian 10, Ubuntu 20.04, RHEL 8 or newer"
      fi ;;
    Darwin-arm64)
      release=$(sw_vers -productVersion)
      if version_at_least "$release" "$OLDEST_MACOS"; then
        finding ok platform "macOS $release on Apple silicon"
      else
        finding missing platform "macOS $release, $OLDEST_MACOS or newer is needed" "update macOS"
      fi ;;
    Darwin-x86_64)
      finding missing platform "an x86-64 Python on macOS" "on Apple silicon use an arm64 Python (brew install python@3.12); Intel Macs have no wheels" ;;
    MINGW* | MSYS* | CYGWIN*)
      finding missing platform "$system" "use Linux inside WSL 2" ;;
    *)
      finding missing platform "$system $machine has no ExecuTorch wheel" "use Linux (x86-64, aarch64) or macOS on Apple silicon" ;;
  esac
}

check_compiler() {
  local compiler
  for compiler in ${CXX:-c++ g++ clang++}; do
    if usable "$compiler" && "$compiler" --version >/dev/null 2>&1; then
      finding ok "C++ compiler" "$("$compiler" --version 2>/dev/null | awk 'NR == 1')"
      return
    fi
  done
  finding optional "C++ compiler" "none: launches use the python runner, which is slower to start" \
    "$(install_hint 'sudo apt install g++ make' 'sudo dnf install gcc-c++ make' 'xcode-select --install')"
}

prerequisites() {
  check_python
  check_git
  check_disk
  check_platform
  check_compiler
  if [ "$missing" -gt 0 ]; then
    fail "$missing of the prerequisites missing" "on this machine" "do what the lines above say, then run this again"
  fi
}

# ---------------------------------------------------------------- long work, quietly

child=''
on_signal() {
  if [ -n "$child" ]; then kill "$child" 2>/dev/null || true; fi
  printf '\ninterrupted: run it again to go on\n' >&2
  exit 130
}

# quietly LABEL COMMAND...: output to the log; a moving clock on a terminal, one line elsewhere
quietly() {
  local label=$1 started=$SECONDS status=0
  shift
  printf '\n== %s: %s\n' "$label" "$*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null &
  child=$!
  if [ -t 1 ]; then
    while kill -0 "$child" 2>/dev/null; do
      printf '\r  ...      %s, %d s' "$label" $((SECONDS - started))
      sleep 0.2
    done
    printf '\r\033[K'
  fi
  wait "$child" || status=$?
  child=''
  if [ "$status" -ne 0 ]; then
    fail "$label failed ($(last_useful_line))" "see $log" "correct that, then run this again"
  fi
  say "  done     $label ($((SECONDS - started)) s)"
}

# What pip says first on its last ERROR line; else the last line there is
last_useful_line() {
  awk '/^== / { line = ""; error = "" } NF { line = $0 } /^ *(ERROR|error|fatal):/ { error = $0 }
       END { print error ? error : line }' "$log"
}

# ---------------------------------------------------------------- where the kit comes from

# locate: sets root (where .venv goes), checkout ("" when alone), target (what pip installs)
locate() {
  local here
  here=$(cd "$(dirname "${BASH_SOURCE[0]:-.}")" && pwd -P)
  checkout='' root=$PWD
  if [ -f "$here/../../model_profiling/__init__.py" ] && [ -f "$here/../../pyproject.toml" ]; then
    checkout=$(cd "$here/../.." && pwd -P)
    root=$checkout
  fi
  venv=$root/.venv log=$root/.venv/setup.log stamp=$root/.venv/setup.stamp
  local source=${KIT_SOURCE:-}
  if [ -n "$checkout" ] && [ -z "$source" ]; then
    target=$checkout
    return
  fi
  checkout=''
  source=${source:-$KIT_ADDRESS}
  target=$source
  if [ -e "$source" ]; then # a folder, a wheel or an sdist
    target=$(cd "$(dirname "$source")" && pwd -P)/$(basename "$source")
  else
    git_needed=yes
    case $source in git+*) ;; *) target=git+$source ;; esac
  fi
}

# identity: what the stamp records; when it changes, pip is asked again
identity() {
  say "kit from $target"
  if [ -n "$checkout" ]; then cksum <"$checkout/pyproject.toml"; fi
}

# satisfied: everything is installed as recorded. The packages are looked at, not only the stamp.
satisfied() {
  [ -f "$stamp" ] && [ "$(identity)" = "$(sed "/^$EXPORT_LINE\$/d" "$stamp")" ] && packages --extras "$extras" >/dev/null 2>&1
}

# packages FLAG...: the kit's own check of what is installed; -I keeps the current directory out
packages() {
  "$venv/bin/python" -I -m model_profiling.pipeline.setup_checks.packages \
    ${checkout:+--checkout "$checkout"} "$@"
}

# ---------------------------------------------------------------- the environment

has_pip() { "$venv/bin/python" -I -m pip --version >/dev/null 2>&1; }

# make_venv: a .venv with a fitting Python and pip in it, whatever is there now
make_venv() {
  local version=''
  if [ -e "$venv" ] && [ -n "$(ls -A "$venv" 2>/dev/null)" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ ! -d "$venv/bin" ]; then
    fail "$venv is there but is no virtual environment" "in $root" "move it away"
  fi
  mkdir -p "$venv" 2>/dev/null || fail "cannot make .venv" "in $root" "correct the folder's permissions"
  version=$(python_version "$venv/bin/python") || version=''
  if [ -n "$version" ] && { ! fits "$version" || { [ -n "$wanted_python" ] && [ "$version" != "$(python_version "$python")" ]; }; }; then
    say "  note     .venv has Python $version: making it anew"
    version=''
  fi
  if [ -n "$version" ] && [ -f "$venv/bin/activate" ]; then
    case $(cat "$venv/bin/activate") in
      *"$venv"*) ;;
      *) say "  note     .venv was made in another place: making it anew" && version='' ;; # its programs name that place
    esac
  fi
  if [ -n "$version" ] && ! has_pip; then # made by uv, or cut short
    "$venv/bin/python" -I -m ensurepip --default-pip >/dev/null 2>&1 || true
    has_pip || version=''
  fi
  if [ -z "$version" ]; then
    if [ -e "$venv" ] && [ ! -w "$venv" ]; then
      fail ".venv cannot be written, so it cannot be made anew" "at $venv" "remove it, or use a checkout of your own"
    fi
    rm -rf "$venv"
    mkdir -p "$venv"
    quietly "virtual environment with Python $(python_version "$python")" "$python" -m venv "$venv"
  fi
  version=$("$venv/bin/python" -I -m pip --version | awk '{ print $2 }')
  if ! version_at_least "$version" "$OLDEST_PIP"; then
    quietly "newer pip" "${pip[@]}" --upgrade pip
  fi
}

# forget_broken: what a killed pip left half-installed would count as installed
forget_broken() {
  local metadata
  for metadata in "$venv"/lib/python*/site-packages/*.dist-info; do
    if [ -d "$metadata" ] && [ ! -s "$metadata/RECORD" ]; then rm -rf "$metadata"; fi
  done
  rm -rf "$venv"/lib/python*/site-packages/~*
  if [ -f "$stamp" ] && ! packages --extras "$extras" >>"$log" 2>&1; then
    packages --forget-broken >>"$log" 2>&1 || true
  fi
}

has_torch() { "$venv/bin/python" -I -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null; }

# torch_source: sets the options that make pip take a CPU torch on Linux
torch_source() {
  torch_options=()
  if [ "$(uname -s)" != Linux ] || [ "$export" = no ]; then return; fi
  if "$venv/bin/python" -I -c "import urllib.request as u; u.urlopen('$TORCH_CPU_PAGE', timeout=$PROBE_SECONDS)" >>"$log" 2>&1; then
    torch_options=(--find-links "$TORCH_CPU_PAGE")
    return
  fi
  if ! has_torch; then
    say "  note     $TORCH_CPU_PAGE is out of reach: torch comes from where pip is"
    say "           configured to look, which for Linux can be a CUDA build of several GB"
  fi
}

# warn_of_cuda: say so when what is installed is a CUDA build
warn_of_cuda() {
  if [ "$(uname -s)" = Linux ] && [ "$export" = yes ] && "$venv/bin/python" -I - <<'PYTHON'; then
import importlib.metadata, sys
needs = " ".join(importlib.metadata.requires("torch") or ()).lower()
sys.exit(not ("nvidia-" in needs or "cuda-" in needs))
PYTHON
    say "  note     torch $("$venv/bin/python" -I -c 'import importlib.metadata as m; print(m.version("torch"))') is a CUDA build: larger, with the same results"
  fi
}

install() {
  mkdir -p "$venv"
  : >>"$log"
  rm -f "$stamp.new"
  forget_broken
  rm -f "$stamp"
  torch_source
  case $target in
    "$checkout") words=(--editable "${checkout}[${extras}]") ;;
    /*) words=("${KIT}[${extras}] @ $("$venv/bin/python" -I -c \
      'import pathlib, sys; print(pathlib.Path(sys.argv[1]).as_uri())' "$target")") ;;
    *) words=("${KIT}[${extras}] @ $target") ;;
  esac
  quietly "packages: ExecuTorch$([ "$export" = no ] || printf ', PyTorch') and the kit" \
    "${pip[@]}" --no-compile ${torch_options[@]+"${torch_options[@]}"} "${words[@]}"
  # pip compiles one file after the other; this uses every core
  quietly "byte code" "$venv/bin/python" -I -c "$COMPILE" "$venv"/lib/python*/site-packages
  if ! packages --extras "$extras" >>"$log" 2>&1; then
    fail "the packages do not fit together ($(last_useful_line))" "see $log" "remove $venv and run this again"
  fi
  warn_of_cuda
  {
    identity
    # validate_setup.py has to know whether PyTorch should be there
    if [ "$export" = yes ]; then say "$EXPORT_LINE"; fi
  } >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

# clone_executorch: the sources for runners built from source, at the tag of the installed wheel
clone_executorch() {
  local tag folder=$root/executorch
  tag=v$("$venv/bin/python" -I -c 'from importlib.metadata import version; print(version("executorch"))')
  if [ -d "$folder" ]; then
    if [ "$(git -C "$folder" describe --tags --exact-match 2>/dev/null)" = "$tag" ]; then
      say "  ok       ExecuTorch $tag is in $folder"
      return
    fi
    fail "another version than $tag is there" "in $folder" "move it away"
  fi
  rm -rf "$folder.partial"
  quietly "ExecuTorch $tag from $EXECUTORCH_ADDRESS" git -c advice.detachedHead=false clone --depth 1 --branch "$tag" \
    --recurse-submodules --shallow-submodules --jobs 4 "$EXECUTORCH_ADDRESS" "$folder.partial"
  mv "$folder.partial" "$folder"
}

# ---------------------------------------------------------------- the command

export=yes fleet=no tests=no from_source=no check_only=no wanted_python='' git_needed=no
while [ $# -gt 0 ]; do
  case $1 in
    --without-export) export=no ;;
    --with-fleet) fleet=yes ;;
    --with-tests) tests=yes ;;
    --from-source) from_source=yes git_needed=yes ;;
    --check) check_only=yes git_needed=yes ;;
    --python)
      [ $# -ge 2 ] || fail "--python names no program" "on the command line of setup_repo.sh" "see setup_repo.sh --help"
      wanted_python=$2
      shift ;;
    --help | -h) usage; exit 0 ;;
    *) fail "$1 is not a flag" "on the command line of setup_repo.sh" "see setup_repo.sh --help" ;;
  esac
  shift
done
extras=$([ "$export" = yes ] && printf export || printf runtime),skills
if [ "$fleet" = yes ]; then extras=$extras,fleet; fi
if [ "$tests" = yes ]; then extras=$extras,test,pages; fi

locate
if [ "$check_only" = yes ]; then
  prerequisites
  say "every prerequisite is there"
  exit 0
fi
pip=("$venv/bin/python" -I -m pip install --disable-pip-version-check --no-input --progress-bar off)
trap on_signal INT TERM
if [ -z "$wanted_python" ] && satisfied; then
  say "$venv is ready: nothing to do"
else
  prerequisites
  say "Setting up $venv"
  make_venv
  if satisfied; then
    say "  ok       every package is there"
  else
    install
  fi
  say "$venv is ready ($SECONDS s)"
fi
if [ "$from_source" = yes ]; then clone_executorch; fi
printf 'next: source %q\n' "${venv#"$PWD"/}/bin/activate"
