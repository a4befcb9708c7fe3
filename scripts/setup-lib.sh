# Set-up that the scripts share: tools, caches, build. Source it; beside defining functions it readies the build directory.
# shellcheck shell=bash

LANDFALL_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
LANDFALL_CACHE="${LANDFALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/landfall}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$LANDFALL_CACHE/target}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
HOST_TRIPLE="$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')"

say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# need_rust: the toolchain is the one thing that the scripts do not install.
need_rust() {
  command -v cargo >/dev/null && command -v rustc >/dev/null && return
  die "cargo is missing: install Rust 1.95 or newer from https://rustup.rs"
}

# own_the_builds: makes cargo build this checkout's crates again when another one used the build directory last. Cargo
# compares times of files and does not know which checkout the crates that it finds are of.
own_the_builds() {
  local owner="$CARGO_TARGET_DIR/checkout"
  [ "$(cat "$owner" 2>/dev/null)" != "$LANDFALL_ROOT" ] || return 0
  mkdir -p "$CARGO_TARGET_DIR"
  find "$LANDFALL_ROOT/crates" "$LANDFALL_ROOT/xtask" "$LANDFALL_ROOT/examples" -name '*.rs' -exec touch {} +
  printf '%s\n' "$LANDFALL_ROOT" >"$owner"
}

# need_debian PACKAGE COMMAND...: installs the package unless all the commands are there.
need_debian() {
  local package=$1 command missing=
  shift
  for command in "$@"; do
    command -v "$command" >/dev/null || missing=1
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    die "$package is missing ($*): install it with your package manager"
  say "installing $package"
  local root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$package" \
    </dev/null >"$LANDFALL_CACHE/apt.log" 2>&1; then
    "${root[@]}" apt-get update -q </dev/null >>"$LANDFALL_CACHE/apt.log" 2>&1
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$package" \
      </dev/null >>"$LANDFALL_CACHE/apt.log" 2>&1 ||
      die "cannot install $package; see $LANDFALL_CACHE/apt.log"
  fi
}

# need_fuse: the means to mount the disk that loses and fails; sets RUST_TESTS to what can run here.
need_fuse() {
  RUST_TESTS='all()'
  if [ "$(id -u)" -eq 0 ]; then
    [ -e /dev/fuse ] || mknod /dev/fuse c 10 229 2>/dev/null || true
    (exec 3<>/dev/fuse) 2>/dev/null && unshare --mount true 2>/dev/null && return
  else
    need_debian fuse3 fusermount3
    (exec 3<>/dev/fuse) 2>/dev/null && return
  fi
  RUST_TESTS='not (test(/needs_fuse/) or binary(matrix))'
  say "FUSE cannot be used here: the tests on a faulty disk are LEFT OUT"
}

# need_python: a Python that can make virtual environments.
need_python() {
  need_debian python3 python3
  local probe="$LANDFALL_CACHE/venv-probe"
  if ! python3 -m venv "$probe" >/dev/null 2>&1; then
    rm -rf "$probe"
    need_debian python3-venv landfall-has-no-such-command
  fi
  rm -rf "$probe"
}

# need_clients: the AWS CLI, boto3 and pytest in a virtual environment of their own, first on the PATH.
need_clients() {
  local wanted="$LANDFALL_ROOT/clients/requirements.txt"
  local venv="$LANDFALL_CACHE/venv"
  if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    need_python
    say "installing the AWS CLI, boto3 and pytest into $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$wanted" </dev/null
    cp "$wanted" "$venv/requirements.txt"
  fi
  export PATH="$venv/bin:$PATH"
}

# need_nextest: the test runner, built once.
need_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  say "building cargo-nextest"
  cargo install -q --locked cargo-nextest
}

# build_binaries: sets LANDFALL_BIN to a development build, which the tests share, unless it is set, and XTASK to the binary
# of the chores. One build of all: a build of one package has other features of what it depends on, and would be a second.
build_binaries() {
  say "building landfall"
  (cd "$LANDFALL_ROOT" && cargo build -q --locked --workspace --bins)
  export LANDFALL_BIN="${LANDFALL_BIN:-$CARGO_TARGET_DIR/debug/landfall}"
  export XTASK="$CARGO_TARGET_DIR/debug/xtask"
}

# batch_cargo ARGUMENT...: cargo for the example batch, always with the same flags, so that one build serves all.
batch_cargo() {
  (cd "$LANDFALL_ROOT/examples/csv-batch" && RUSTFLAGS="-C target-feature=+crt-static" cargo "$@")
}

# build_csv_batch: sets CSV_BATCH_BIN to a static build, which needs nothing else in its image.
build_csv_batch() {
  say "building the batch"
  batch_cargo build -q --locked --release --target "$HOST_TRIPLE"
  CSV_BATCH_BIN="$CARGO_TARGET_DIR/$HOST_TRIPLE/release/csv-batch"
  export CSV_BATCH_BIN
}

need_rust
own_the_builds
mkdir -p "$LANDFALL_CACHE"
