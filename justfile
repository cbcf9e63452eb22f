# `just check` is what CI runs; the other recipes are its parts and daily shortcuts.

# Everything CI checks.
check:
    bash .ci/run

# Formatting and lints, warnings are errors.
lint:
    cargo fmt --all --check
    cargo clippy --release --all-targets -- -D warnings

# The README's test command.
test:
    cargo test --release

# Tests while writing: the package itself barely optimised and built incrementally, dependencies shared with `release`.
quick *arguments:
    CARGO_INCREMENTAL=1 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo nextest run --release {{arguments}}

# The tests that need real MNIST: `just test-data path/to/data`.
test-data folder:
    BENCH_DATA_DIR={{folder}} cargo test --release -- --include-ignored real_data

# Type-checks the CUDA code without a toolkit.
cuda-check:
    cargo check --release --features cuda-check

# Everything of CUDA that can be run without a GPU; sets up a toolkit (270 MB) first.
cuda-emulated:
    test -f target/cuda/environment.sh || bash scripts/cuda-toolkit.sh target/cuda
    . target/cuda/environment.sh && cargo build --release --features cuda --bin bench
    . target/cuda/environment.sh && bash tools/cuda-emulator/check.sh target/release/bench "$(cargo test --release --features cuda --lib --package gridbench --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))/\1/p')"

# Everything to be checked on a machine with a GPU; `just gpu-check --device cpu` rehearses it.
gpu-check *arguments:
    bash scripts/gpu-check.sh {{arguments}}

# Builds the portable wheel (manylinux_2_28, linked by zig), checks its symbols, and runs it installed.
wheel:
    bash scripts/wheel.sh --portable

# Builds the book of docs/ in target/book; takes mdBook (`cargo install mdbook`).
book:
    mdbook build docs

# Trains the small gate experiment and holds it against the committed baseline.
gate:
    cargo run --release -- run experiments/smoke.toml --out target/gate/smoke
    cargo run --release -- check target/gate/smoke --baseline experiments/baselines/smoke.json

# Checks unchanged runs of the small gate experiment, each on a master seed of its own, against its baseline, and counts
# the verdicts: `just unchanged 50`. At most 1 in 50 may be *regressed*.
unchanged runs="50":
    cargo build --release
    for seed in $(seq 1001 $((1000 + {{runs}}))); do \
        target/release/bench run experiments/smoke.toml --set seed=$seed --out target/unchanged/$seed --quiet > target/unchanged.log; \
        target/release/bench check target/unchanged/$seed --baseline experiments/baselines/smoke.json | head -1 | cut -d: -f1; \
    done | sort | uniq -c

# Ends `bench` at every file operation, fills its disk, flips its bits, cuts its power: the long form.
faults *arguments:
    cargo test --release --test faults -- --long {{arguments}}

# Workers on Slurm, HyperQueue and stale views of a folder, with what goes wrong there: the long form. As root; takes
# slurm-wlm, munge and bindfs, and a Python with tests/cluster/requirements.txt (`BENCH_PYTHON`).
cluster *arguments:
    cargo build --release
    ${BENCH_PYTHON:-python3} tests/cluster/check.py --long target/release/bench {{arguments}}

# Simulates 10,000 workers with the claims as they are; `just simulate quick` is a tenth of it.
simulate *arguments:
    cargo bench --bench cluster -- {{arguments}}

# Mutates what every reader is given, led by coverage (`cargo install cargo-fuzz`, on the stable compiler, without a
# sanitizer), for so many minutes each: `just fuzz`, `just fuzz 30`, `just fuzz 30 csv idx`. What breaks a reader stays in
# fuzz/artifacts, what led to new code in fuzz/found.
fuzz minutes="1" *readers:
    set -e; for reader in {{ if readers == "" { "$(cargo fuzz list)" } else { readers } }}; do \
        mkdir -p fuzz/found/$reader; \
        cargo fuzz run --sanitizer none --target-dir target/fuzz $reader fuzz/found/$reader fuzz/corpus/$reader -- \
            -max_total_time=$((60 * {{minutes}})) -timeout=10 -rss_limit_mb=2048 -max_len=65536 -dict=fuzz/dictionary.txt \
            -print_final_stats=1; \
    done

# Accepts new snapshot files after looking at them.
review:
    cargo insta review

# Writes the tables of keys in experiments/README.md and docs/schemas/experiment.json anew, from the
# declarations in src/experiment/keys.
keys:
    GRIDBENCH_WRITE_KEYS=1 cargo test --release --lib experiment::tests::documentation

# Writes docs/file-map.md anew, from the first sentence of each file.
file-map:
    GRIDBENCH_WRITE_FILE_MAP=1 cargo test --release --test it the_file_map_matches_the_tree
