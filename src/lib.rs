//! `gridbench`: hyperparameter grids for image classifiers, trained several times a cell, with
//! statistics one can trust. See `DESIGN.md` for the stages and the file map.

pub mod base;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod data;
pub mod engine;
pub mod grid;
pub mod plan;
pub mod program;
pub mod record;
pub mod report;
pub mod results;
pub mod runner;
pub mod session;
pub mod spec;
pub mod store;
pub mod tables;
