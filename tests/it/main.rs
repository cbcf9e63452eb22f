//! Drives the binary `bench` from outside, and holds the source against DESIGN.md.

#![expect(clippy::disallowed_methods, reason = "tests set files and settings up by themselves")]

mod adopting;
mod architecture;
mod bad_input;
mod bad_programs;
mod book;
mod comparing;
mod consumers;
mod corpus;
mod data;
mod duels;
mod escalating;
mod folds;
mod formats;
mod gate;
mod gate_rows;
mod hazards;
mod hostile;
mod hostile_gate;
mod hostile_words;
mod importing;
mod looking;
mod measuring;
mod packs;
mod pages;
mod persistent;
mod predicting;
mod program_predictions;
mod programs;
mod readme;
mod report_view;
mod resources;
mod running;
mod schemas;
mod sentences;
mod streams;
mod studies;
mod support;
mod training;
mod values;
mod workers;
