#!/usr/bin/env bash
# Packs a built `bench` with its manual pages, completions and licence into target/dist.
#
# usage: archive.sh TARGET PROGRAM     for example: archive.sh x86_64-unknown-linux-gnu target/release/bench
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$1
program=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
version=$("$program" -V | cut -d' ' -f2)
name=gridbench-$version-$target
dist=$root/target/dist
rm -rf "${dist:?}/$name"
mkdir -p "$dist/$name/completions" "$dist/$name/man"
cd "$dist"
cp "$program" "$root/README.md" "$root/CHANGELOG.md" "$root/LICENSE" "$name"
"$program" manual --output "$name/man"
for shell in bash zsh fish powershell elvish; do
  "$program" completions "$shell" > "$name/completions/bench.$shell"
done
case $target in
  *-windows-*) archive=$name.zip && 7z a -bso0 "$archive" "$name" ;;
  *)
    archive=$name.tar.gz
    tar --owner=0 --group=0 -czf "$archive" "$name" 2>/dev/null || tar -czf "$archive" "$name"
    ;;
esac
rm -rf "${dist:?}/$name"
echo "$dist/$archive"
