//! How many workers a folder is good for: it is timed.

use std::path::Path;
use std::time::Instant;

use crate::cli::failure::Failure;
use crate::report::whole;
use crate::session::Error;
use crate::store::SharedFolder;

/// Files that are created to time a folder.
const CREATIONS: u32 = 200;
/// Operations on the folder per member: an entry, its predictions, and a flush.
const PER_MEMBER: f64 = 3.0;
/// Operations per batch, and the seconds of a batch in the middle.
const PER_BATCH: f64 = 5.0;
const BATCH_SECONDS: f64 = 75.0;
/// Part of what a folder can do that workers may take.
const PART: f64 = 0.5;

/// Times exclusive creations in a results folder, and says for how many workers it is good.
pub(super) fn judge(store: &Path, workers: u32) -> Result<(), Failure> {
    let cannot = |error| Error::of_store(format!("cannot work in `{}`", store.display()), &error);
    let shared = SharedFolder::open(store).map_err(cannot)?;
    let name = format!("submit/probe-{}-{:x}", std::process::id(), seconds_now());
    let began = Instant::now();
    for number in 0..CREATIONS {
        shared
            .create(&format!("{name}/{number}"), b"bench submit times this folder\n")
            .map_err(cannot)?;
    }
    let rate = f64::from(CREATIONS) / began.elapsed().as_secs_f64().max(1e-6);
    // Left behind it is only 200 small files.
    let _ = std::fs::remove_dir_all(store.join(&name));
    let good_for = |seconds: f64| PART * rate / (PER_MEMBER / seconds + PER_BATCH / BATCH_SECONDS);
    say!(
        "`{}` does {} creations per second from here: good for about {} workers with networks of 10 s, \
         {} with networks of 1 min",
        store.display(),
        whole(rate as usize),
        whole(good_for(10.0) as usize),
        whole(good_for(60.0) as usize)
    );
    if f64::from(workers) > good_for(60.0) {
        say!("warning: {workers} workers are more than that: they would wait for the file server");
    }
    Ok(())
}

/// Tells one probe from another of the same process number elsewhere.
fn seconds_now() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish()
}
