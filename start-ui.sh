#!/usr/bin/env bash
# Seachange: sets itself up on first use (and again when pyproject.toml changes), then runs what it is asked for.
#   ./start-ui.sh            the window
#   ./start-ui.sh --help     the command line
#   ./start-ui.sh test       every check of the program itself
set -euo pipefail

# The folder of this file, however it was called: from elsewhere, through a link, with spaces in the path.
self="${BASH_SOURCE[0]}"
while [ -L "$self" ]; do
    folder="$(cd -P "$(dirname "$self")" && pwd)"
    self="$(readlink "$self")"
    case "$self" in /*) ;; *) self="$folder/$self" ;; esac
done
here="$(cd -P "$(dirname "$self")" && pwd)"
venv="$here/.venv"
python="$venv/bin/python"

say() { printf '%s\n' "$*" >&2; }

# What an installation was made for: the place, the Python, the requirements. Fails if the environment's Python is gone.
fingerprint() {
    "$python" -I -S -c '
import hashlib, sys
digest = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()
print(sys.argv[1], *sys.version_info[:2], digest)' "$here/pyproject.toml" 2>/dev/null
}

is_installed() { # is_installed app|test
    [ -x "$python" ] && [ -f "$venv/installed-$1" ] && [ "$(<"$venv/installed-$1")" = "$(fingerprint)" ]
}

# Which of venv and tkinter a Python has, as words; nothing if it is no Python from 3.11 to 3.14.
abilities() {
    "$1" -I -c '
import importlib.util, sys
if (3, 11) <= sys.version_info[:2] <= (3, 14):
    found = ["python"]
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        found.append("venv")
    if importlib.util.find_spec("_tkinter") and importlib.util.find_spec("tkinter"):
        found.append("tkinter")
    print(" ".join(found))' 2>/dev/null || true
}

# The first Python with venv and tkinter; else the first with venv. Sets $base, $base_can and $any_python.
# Whoever has a Python in an unusual place names it: SEACHANGE_PYTHON=/path/to/python ./start-ui.sh
find_python() {
    base="" base_can="" any_python=""
    local candidates candidate path can
    candidates="python3.11 python3.12 python3.13 python3.14 python3 python
        /usr/bin/python3.11 /usr/bin/python3.12 /usr/bin/python3.13 /usr/bin/python3.14 /usr/bin/python3"
    local IFS=$' \n'
    if [ -n "${SEACHANGE_PYTHON:-}" ]; then candidates="$SEACHANGE_PYTHON" IFS=$'\n'; fi
    for candidate in $candidates; do
        path="$(command -v "$candidate" || true)"
        [ -n "$path" ] || continue
        can="$(abilities "$path")"
        [ -z "$can" ] || any_python="${any_python:-$path}"
        case "$can" in
            "python venv tkinter") base="$path" base_can="$can"; return ;;
            "python venv"*) [ -n "$base" ] || { base="$path"; base_can="$can"; } ;;
        esac
    done
}

as_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# On a bare machine that we are root of, the checks bring what they need from the system.
install_system_packages() {
    as_root || return 0
    find_python
    local packages="python3-venv python3-tk xvfb xauth"
    # What answers ssh, for the tests of another machine: nobody's own computer gets a server without being asked.
    if [ -n "${CI:-}" ] && [ ! -x /usr/sbin/sshd ]; then
        packages="$packages openssh-client openssh-server"
    elif [ "$base_can" = "python venv tkinter" ] && command -v xvfb-run >/dev/null; then
        return 0
    fi
    say "Installing $packages with apt-get ..."
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        $packages; } >&2 ||
        say "apt-get did not succeed. Going on with what there is."
}

explain_missing_python() {
    if [ -n "$any_python" ]; then
        say "Seachange needs the module venv, and $any_python comes without it."
        say "On Debian and Ubuntu:  sudo apt install python3-venv python3-tk"
    else
        say "Seachange needs Python 3.11, 3.12, 3.13 or 3.14, and there is none."
        say "On Debian and Ubuntu:  sudo apt install python3 python3-venv python3-tk"
        say "On a Mac:              brew install python@3.12 python-tk@3.12"
    fi
    exit 2
}

make_environment() {
    find_python
    [ -n "$base" ] || explain_missing_python
    say "Setting up with $base ($("$base" -V)) in $venv"
    "$base" -m venv --clear "$venv"
    case "$base_can" in
        *tkinter) ;;
        *) say "Note: $base has no tkinter. Everything but the window works without it."
            say "For the window, on Debian and Ubuntu:  sudo apt install python3-tk  (serves the system's own Python)" ;;
    esac
}

# A Python that works and has pip; a half-made environment, or one whose Python was upgraded, has not.
is_whole() {
    [ -x "$python" ] && "$python" -I -c 'import pip, sys
sys.exit("lib/python%d.%d/" % sys.version_info[:2] not in pip.__file__)' 2>/dev/null
}

install() { # install app|test
    # Two windows opened at once: the second waits, then finds the work done.
    if command -v flock >/dev/null; then
        exec 9<"$here/pyproject.toml"
        flock 9
        if is_installed "$1"; then exec 9<&-; return; fi
    fi
    [ "$1" != test ] || install_system_packages
    is_whole || make_environment
    local wanted="."
    [ "$1" = app ] || wanted=".[test]"
    rm -f "$venv"/installed-*
    say "Installing what Seachange needs; the first time this downloads a lot ..."
    (cd "$here" && "$python" -m pip install --disable-pip-version-check -e "$wanted") >&2 || {
        say "The installation did not succeed; the reason stands above. Starting again continues it."
        exit 2
    }
    # Written last: an interrupted installation leaves no stamp and is done again.
    fingerprint >"$venv/installed-app"
    [ "$1" = app ] || fingerprint >"$venv/installed-test"
    exec 9<&- || true
}

run_checks() {
    cd "$here"
    export PATH="$venv/bin:$PATH" PYTHONPATH="$here"
    local failed="" screen=""
    check() { say "== $*"; "$@" || failed="$failed, $*"; }
    check ruff check
    check ruff format --check
    check pyright
    check lint-imports
    # Tests of the window need a screen; on a machine without one, a pretended one.
    if [ -d tests/gui ] && [ -z "${DISPLAY:-}" ] && command -v xvfb-run >/dev/null; then screen="xvfb-run -a"; fi
    [ -z "$failed" ] || say "NOT CLEAN: ${failed#, } (see above)"
    say "== pytest"
    $screen "$python" -m pytest -n 2 --dist loadfile "$@" || failed="$failed, pytest"
    [ -z "$failed" ]
}

if [ "${1:-}" = test ]; then
    shift
    is_installed test || install test
    run_checks "$@"
else
    is_installed app || install app
    # -P: a folder "app" where the user stands is not ours.
    exec "$python" -P -m app "$@"
fi
