# Short names for what one does often. `just` alone lists them; nothing here is needed to build or test.

_default:
    @just --list

# The whole community on one machine.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# What continuous integration runs: format, tidy, clippy, documentation, tests.
check:
    cargo xtask check

# Only what the compiler does not look at.
tidy:
    cargo xtask tidy

# Write what is made from the code: the refusals page, tests of requirements, the golden vectors.
generate:
    cargo xtask refusals
    cargo xtask requirements
    cargo xtask configuration
    WATTBOOK_WRITE_VECTORS=1 cargo test -p wattbook-types --test vectors

# Format everything.
format:
    cargo fmt --all
