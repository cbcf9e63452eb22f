//! Runs with a scripted engine.

mod cost;
mod isolation;
mod resuming;
mod scripted;
mod storing;
