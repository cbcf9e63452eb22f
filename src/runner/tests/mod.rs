//! Runs with a scripted engine.

mod isolation;
mod resuming;
mod scripted;
mod storing;
