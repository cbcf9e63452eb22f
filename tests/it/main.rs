//! Drives the binary `bench` from outside, and holds the source against DESIGN.md.

mod architecture;
