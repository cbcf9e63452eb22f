//! Drives the binary `bench` from outside, and holds the source against DESIGN.md.

#![expect(clippy::disallowed_methods, reason = "tests set files and settings up by themselves")]

mod architecture;
mod bad_input;
mod bad_programs;
mod book;
mod comparing;
mod consumers;
mod corpus;
mod data;
mod escalating;
mod formats;
mod gate;
mod hazards;
mod hostile;
mod hostile_gate;
mod hostile_words;
mod looking;
mod packs;
mod pages;
mod predicting;
mod programs;
mod readme;
mod report_view;
mod running;
mod schemas;
mod seeds;
mod streams;
mod support;
mod training;
mod values;
