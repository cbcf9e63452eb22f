//! Drives the binary `bench` from outside, and holds the source against DESIGN.md.

mod architecture;
mod bad_input;
mod data;
mod gate;
mod readme;
mod running;
mod support;
mod training;
