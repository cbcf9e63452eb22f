//! Which hyperparameters are really better? Grids of settings, each trained several times from
//! different seeds, with statistics one can trust: the library behind the program `bench`.
//!
//! # From a file to a report
//!
//! An experiment is a TOML file. A [`Session`](session::Session) reads it, plans it, trains what is
//! missing and reports; `bench run` does no more than this:
//!
//! ```
//! use gridbench::engine::{self, DeviceChoice};
//! use gridbench::report::Format;
//! use gridbench::runner::Event;
//! use gridbench::session::Session;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let file = folder.path().join("first.toml");
//! std::fs::write(
//!     &file,
//!     r#"
//!     name = "first"
//!     question = "Which optimizer learns digits fastest?"
//!     repeats = 3
//!
//!     [dataset]
//!     source = "digits"   # 1,797 images of 8×8 pixels, in the program
//!
//!     [model]
//!     layers = ["flatten", "dense"]
//!
//!     [train]
//!     epochs = 2
//!
//!     [[grid]]
//!     [grid.axes]
//!     "train.optimizer" = ["sgd", "adam"]
//!     "#,
//! )?;
//!
//! let mut session = Session::open_in(&file, folder.path().join("results"))?;
//! let plan = session.plan()?;
//! assert_eq!((plan.cells.len(), plan.trials.len()), (2, 6));
//!
//! let engine = engine::build(DeviceChoice::Cpu)?;
//! let finished = session.run(&plan, engine.as_ref(), |event| {
//!     if let Event::TrialFinished { record, .. } = event {
//!         println!("repeat {}: {}", record.repeat, record.outcome.name());
//!     }
//! })?;
//! assert_eq!(finished.summary.trials_completed, 6);
//! println!("{}", finished.report(Format::Terminal));
//!
//! // What is finished is on disk: a second run trains nothing.
//! let again = session.run(&plan, engine.as_ref(), |_| {})?;
//! assert_eq!(again.summary.members_trained, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go from here
//!
//! | to | see |
//! |---|---|
//! | train with something else | [`engine::Engine`], and `examples/own_engine.rs` |
//! | write a report of one's own | [`results::ExperimentResults`], [`session::Reading`], and `examples/own_report.rs` |
//! | know what an experiment file may say | [`experiment`], and `experiments/README.md` |
//! | read or write the results folder | [`store`], and `docs/formats.md` |
//! | compute the statistics by themselves | the crate `gridbench-stats` |
//!
//! Nothing but `cli` prints, reads the command line or ends the process. A trial that fails is part
//! of the results; errors say what was tried, why it failed and the way out. `DESIGN.md` has the
//! stages and the reasons.
#![warn(unnameable_types)]
#![cfg_attr(not(feature = "cuda"), forbid(unsafe_code))]

pub mod base;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod data;
pub mod engine;
pub mod experiment;
pub mod grid;
pub mod plan;
pub mod program;
pub mod record;
pub mod report;
pub mod results;
pub mod runner;
pub mod session;
pub mod store;
pub mod tables;
