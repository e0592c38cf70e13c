# shellcheck shell=bash
# What the scripts share: headings, packages, builds. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

BUILD_PACKAGES=(g++ cmake ninja-build ccache pkg-config catch2 libspdlog-dev libfmt-dev nlohmann-json3-dev libcli11-dev
    libcurl4-openssl-dev libmd-dev libsqlite3-dev libcpp-httplib-dev)
# libcurl4: lockstep loads it when a job speaks HTTP.  util-linux: flock(1), for one build at a time.
DEMO_PACKAGES=(libcurl4 util-linux python3)
CHECK_PACKAGES=(clang-tidy-19 clang-format-19 git python3-jsonschema python3-yaml systemd dbus supervisor cron faketime pdns-server
    pdns-backend-sqlite3 bind9-dnsutils strace procps openssl spin runit s6 tini dumb-init
    man-db zsh fish)
# What people lock with today, to measure ourselves by. (run-one is not in Debian 12.)
BENCH_PACKAGES=(util-linux daemontools s6 runit liblockfile-bin supervisor)

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

heading() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# ---- packages ---------------------------------------------------------------------------------------------------------

missing_packages() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
    done
}

# Installs what is missing of the named packages, asks nothing, starts no service.
install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0

    command -v apt-get >/dev/null || fail "these packages are missing, and there is no apt-get to install them: ${missing[*]}"
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "these packages are missing: ${missing[*]}"$'\n'"Install them as root (apt-get install ${missing[*]}), then run this again."
        as_root=(sudo)
    fi
    printf 'installing %s\n' "${missing[*]}"
    "${as_root[@]}" "$ROOT/scripts/install-packages" --apt "${missing[@]}"
}

# ---- builds -----------------------------------------------------------------------------------------------------------

# One cache for all clones: what was compiled in another folder need not be compiled again.
export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1

# build PRESET TARGET…: configures and builds; only one build at a time works in a directory. The output is shown if it fails.
build() {
    local preset=$1 log
    shift
    mkdir -p "$ROOT/build"
    log=$(mktemp)
    # A build directory made elsewhere (a moved clone) would stop cmake: make it anew.
    if ! (
        exec 9>"$ROOT/build/$preset.lock"
        flock 9
        cd "$ROOT"
        { cmake --preset "$preset" || cmake --fresh --preset "$preset"; } &&
            cmake --build --preset "$preset" --target "$@"
    ) >"$log" 2>&1; then
        cat "$log"
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}
