#!/bin/sh
# Downloads a released `bench`, checks it against the checksums of its release, and installs it.
#
# usage: install.sh [FOLDER]            the folder of the program, ~/.local/bin unless given
#
#   GRIDBENCH_RELEASES  address of the releases: https://github.com/OWNER/REPOSITORY/releases
#   GRIDBENCH_VERSION   version such as 0.1.0; the latest unless given
set -eu

folder=${1:-$HOME/.local/bin}
releases=${GRIDBENCH_RELEASES:-}
if [ -z "$releases" ]; then
  echo "error: cannot install \`bench\`: GRIDBENCH_RELEASES is not set" >&2
  echo "  hint: set it to https://github.com/OWNER/REPOSITORY/releases" >&2
  exit 2
fi

machine=$(uname -m)
[ "$machine" != arm64 ] || machine=aarch64
case $(uname -s) in
  Linux) target=$machine-unknown-linux-gnu ;;
  Darwin) target=$machine-apple-darwin ;;
  *)
    echo "error: there is no archive for $(uname -s) that this script installs" >&2
    echo "  hint: take the .zip of the release, or \`pip install gridbench\`" >&2
    exit 2
    ;;
esac

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
fetch() { curl --fail --silent --show-error --location --retry 3 --output "$place/$2" "$1/$2"; }

if [ -n "${GRIDBENCH_VERSION:-}" ]; then
  base=$releases/download/v${GRIDBENCH_VERSION#v}
else
  base=$releases/latest/download
fi
fetch "$base" checksums.txt
archive=$(sed -n "s/.*  \(gridbench-.*-$target\.tar\.gz\)\$/\1/p" "$place/checksums.txt")
if [ -z "$archive" ]; then
  echo "error: the release at $base has no archive for $target" >&2
  echo "  hint: \`pip install gridbench\`, or build it: \`cargo install --locked --git ADDRESS gridbench\`" >&2
  exit 2
fi
fetch "$base" "$archive"
cd "$place"
grep "  $archive\$" checksums.txt > wanted.txt
if command -v sha256sum >/dev/null; then
  sum() { sha256sum --check --status wanted.txt; }
else
  sum() { shasum -a 256 --check --status wanted.txt; }
fi
if ! sum; then
  echo "error: $archive is not what checksums.txt of its release says" >&2
  echo "  hint: try again; if it stays so, do not use it" >&2
  exit 1
fi
tar -xzf "$archive"
mkdir -p "$folder"
mv "${archive%.tar.gz}/bench" "$folder/bench"
"$folder/bench" -V
