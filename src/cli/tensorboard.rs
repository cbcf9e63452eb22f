//! `bench tensorboard`: event files for `TensorBoard`.

use std::path::PathBuf;

use super::arguments::TensorboardArguments;
use super::failure::{Exit, Failure};
use crate::report::tensorboard::{FILE_NAME, each_file};
use crate::session::{Reading, folders_below};
use crate::store::atomic::{self, AtomicError};

pub(super) fn tensorboard(arguments: &TensorboardArguments) -> Result<Exit, Failure> {
    let mut files = 0;
    for folder in folders_below(&arguments.folder)? {
        let experiment = &Reading::open(&folder)?.results;
        let root = arguments.output.join(&experiment.facts.name);
        each_file(experiment, &mut |folders, bytes| {
            let path: PathBuf = folders.iter().fold(root.clone(), |path, name| path.join(name));
            files += 1;
            atomic::write_below(&path.join(FILE_NAME), bytes)
        })
        .map_err(|error: AtomicError| Failure::unwritable("event files", &error))?;
    }
    say!(
        "{files} runs written to `{0}`; look at them with `tensorboard --logdir {0}`",
        arguments.output.display()
    );
    Ok(Exit::Done)
}
