# Shared by ./dev and tools/dev-*: sourced, never run. Sets `root` to the top of the repository and
# works from there; every script that sources this runs under `set -euo pipefail`.
# shellcheck shell=bash

# A root without locales still has this one; messages of tools are then the same everywhere.
export LC_ALL=C.UTF-8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# How many compile steps run at once; and how many tests, of which many wait most of their time.
jobs=${MILLRACE_JOBS:-$(nproc)}
test_jobs=${MILLRACE_JOBS:-$((($(nproc) * 3 + 1) / 2))}

say() { printf '== %s\n' "$*"; }

# fail WHAT WHAT_TO_DO_NEXT: ends the script with both sentences.
fail() {
  printf 'error: %s\n' "$1" >&2
  if [ $# -gt 1 ]; then printf 'next:  %s\n' "$2" >&2; fi
  exit 1
}

# The comment at the top of a script is its help.
print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$1"; }

# help_wanted SCRIPT ARGUMENTS...: prints the help and ends when it is asked for.
help_wanted() {
  local script=$1 argument
  shift
  for argument in "$@"; do
    case $argument in
      --) return 0 ;;
      -h | --help)
        print_help "$script"
        exit 0
        ;;
    esac
  done
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this step needs root, and there is no sudo" "run as root: $*"
  fi
}

# mirror_of SUITE...: prints the address from which apt takes the main component of the first SUITE
# that it has. apt reads its own sources, so every style of writing them is understood.
mirror_of() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v suites=" $* " '$3 == "main" && index(suites, " " $2 " ") {print $1; exit}'
}

# Prints the Debian mirror of this machine.
debian_mirror() {
  local mirror
  mirror=$(mirror_of bookworm stable oldstable)
  if [ -z "$mirror" ]; then
    fail "apt has no source for Debian's main packages" "add one to /etc/apt/sources.list"
  fi
  echo "$mirror"
}

# The least number of single-letter edits that turns $1 into $2.
edit_distance() {
  local from=$1 to=$2 i j cost best
  local -a previous current
  for ((j = 0; j <= ${#to}; j++)); do previous[j]=$j; done
  for ((i = 1; i <= ${#from}; i++)); do
    current=("$i")
    for ((j = 1; j <= ${#to}; j++)); do
      cost=1
      if [ "${from:i-1:1}" = "${to:j-1:1}" ]; then cost=0; fi
      best=$((previous[j - 1] + cost))
      if ((previous[j] + 1 < best)); then best=$((previous[j] + 1)); fi
      if ((current[j - 1] + 1 < best)); then best=$((current[j - 1] + 1)); fi
      current[j]=$best
    done
    previous=("${current[@]}")
  done
  echo "${previous[${#to}]}"
}

# nearest WORD CANDIDATES...: prints the candidate that looks most like WORD, if one does.
nearest() {
  local word=$1 candidate distance best=4 found=
  shift
  for candidate in "$@"; do
    distance=$(edit_distance "$word" "$candidate")
    if ((distance < best)); then
      best=$distance
      found=$candidate
    fi
  done
  echo "$found"
}

# one_of KIND WORD CANDIDATES...: ends with a suggestion unless WORD is one of them.
one_of() {
  local kind=$1 word=$2 candidate suggestion
  shift 2
  for candidate in "$@"; do
    if [ "$candidate" = "$word" ]; then return 0; fi
  done
  suggestion=$(nearest "$word" "$@")
  fail "there is no $kind '$word'${suggestion:+; did you mean '$suggestion'?}" "choose one of: $*"
}
