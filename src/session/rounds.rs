//! One of several processes that train an experiment together: round after round, until nothing is left.

use std::time::Duration;

use super::closing::{Closed, close};
use super::site::{Site, Working, options};
use super::train::refuse_unscorable;
use super::{Error, Notice, Session, derived, doctor, programs, refuse_absent, siblings};
use super::{Images, manifest_in};
use crate::cluster::{Again, Opening, Patience, Round, Turn, Work};
use crate::engine::{ENGINE_REVISION, Engine};
use crate::plan::Plan;
use crate::record::Outcome;
use crate::runner::{
    self, RunOptions, RunRequest, measured_rates, members_to_train, training_order,
};
use crate::store::{SharedFolder, Store};

/// Rounds in a row that may end without a member less to train.
const MAX_ROUNDS_WITHOUT_PROGRESS: u32 = 3;
/// How often a member in training saves its state: thousands of workers share one file server.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(5);
/// How often the journal is flushed, besides at the end of every batch.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// Passes over a network per image: forward, and backward to weights and inputs.
const PASSES: f64 = 3.0;
/// Members that stay together on a GPU.
const PACK: u32 = 16;

impl Session {
    /// Draws the plan as [`Session::plan`] does; without an experiment file as the manifest of the folder
    /// says.
    pub(crate) fn shared_plan(&mut self) -> Result<Plan, Error> {
        if self.experiment.file.is_some() {
            let plan = self.experiment.plan(&mut self.images)?;
            refuse_absent(&self.experiment, &mut self.images)?;
            return Ok(plan);
        }
        let manifest = manifest_in(&self.folder)?;
        let cannot = || Error::input(format!("cannot work in `{}`", self.folder.display()));
        if manifest.run.engine_revision != ENGINE_REVISION {
            return Err(cannot()
                .because_of(format!(
                    "its engine revision is `{}`, this program's is `{ENGINE_REVISION}`",
                    manifest.run.engine_revision
                ))
                .hint(Some("name the experiment file: `bench worker FILE --store DIR`")));
        }
        let plan = self.experiment.plan_of_results(&manifest)?;
        if plan.members.iter().any(|member| member.settings.trainer.is_command()) {
            return Err(cannot()
                .because_of("its programs are called from the folder of the experiment file")
                .hint(Some("name the file: `bench worker FILE --store DIR`")));
        }
        Ok(plan)
    }

    /// Works on the folder together with others until nothing is left for this process.
    pub(crate) fn work(
        &mut self,
        plan: &Plan,
        engine: &(dyn Engine + Send + Sync),
        working: &Working<'_>,
    ) -> Result<(), Error> {
        self.at_site(plan, engine, working, rounds)
    }

    /// Scores what is there and writes the tables, when no process works on the folder any more.
    pub(crate) fn close(
        &mut self,
        plan: &Plan,
        engine: &(dyn Engine + Send + Sync),
        working: &Working<'_>,
    ) -> Result<Closed, Error> {
        self.at_site(plan, engine, working, close)
    }

    fn at_site<T>(
        &mut self,
        plan: &Plan,
        engine: &(dyn Engine + Send + Sync),
        working: &Working<'_>,
        act: impl FnOnce(&Site<'_>, &mut Images) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Session { experiment: loaded, images, folder } = self;
        refuse_unscorable(loaded, plan)?;
        let listener = images.listener.clone();
        let workers = working.training.workers.or_else(|| engine.workers());
        let workers = workers.unwrap_or_else(super::train::cores);
        doctor::refuse_order_effects(plan, &images.programs, folder, &listener)?;
        let experiment = loaded.document.experiment();
        let workers = match experiment.measure {
            Some(_) => 1,
            None => programs::at_once(plan, workers, &listener),
        };
        let programs = programs::engine(experiment, loaded.folder()?, plan, engine, folder)?;
        let draft = loaded.manifest_draft(plan, images, programs.description())?;
        let site = Site {
            loaded,
            plan,
            folder,
            draft,
            engine: &programs,
            working,
            workers,
            listener: listener.clone(),
        };
        let done = act(&site, images);
        programs::tell_undeclared(&programs, &listener);
        done
    }
}

/// Works round after round until nothing is left for this worker.
fn rounds(site: &Site<'_>, images: &mut Images) -> Result<(), Error> {
    let Working { training, who, lanes, lease, .. } = site.working;
    let patience = Patience { lease: *lease, ..Patience::default() };
    let (mut without_progress, mut before) = (0, usize::MAX);
    loop {
        if site.working.training.stop.is_requested() {
            return Ok(());
        }
        let Some((round, mut store)) = current(site, images, *lanes)? else {
            return conclude(site, images);
        };
        let outstanding = round.outstanding();
        without_progress = if outstanding.len() < before { 0 } else { without_progress + 1 };
        before = outstanding.len();
        if without_progress >= MAX_ROUNDS_WITHOUT_PROGRESS {
            return Err(Error::fault(format!("cannot finish `{}`", site.folder.display()))
                .because_of(format!(
                    "{} rounds ended without a member less to train; {} are left",
                    MAX_ROUNDS_WITHOUT_PROGRESS,
                    crate::report::counted(before, "member")
                ))
                .hint(Some(
                    "look at the folder with `bench status`, and at what the file system says",
                )));
        }
        let cannot =
            |error| Error::of_store(format!("cannot work in `{}`", site.folder.display()), &error);
        let order = training_order(site.plan, &outstanding, &mut |settings| images.load(settings))
            .map_err(|error| Error::of_run(&error))?;
        let folder = site.folder.to_owned();
        let retries = training.retries;
        let work = Work::begin(site.plan, &round, &order, folder, who.clone(), patience, retries)
            .map_err(cannot)?;
        site.listener.tell(&Notice::Round {
            number: round.number,
            members: outstanding.len(),
            lanes: round.lanes as usize,
            folder: site.folder.to_owned(),
        });
        let summary = train(site, images, &mut store, &work)?;
        let (writer, _) = store.parts().map_err(cannot)?;
        work.leave(writer).map_err(cannot)?;
        writer.end().map_err(cannot)?;
        let (batches, handed) = work.handed();
        site.listener.tell(&Notice::Handed {
            trained: summary,
            handed,
            batches,
            is_last: work.closing().is_some(),
            is_stopped: training.stop.is_requested(),
        });
        let Some(claimed) = work.closing() else { return Ok(()) };
        drop(store);
        close(site, images)?;
        work.closed(claimed).map_err(cannot)?;
    }
}

/// Trains what `work` hands out; returns the number of members.
fn train(
    site: &Site<'_>,
    images: &mut Images,
    store: &mut Store,
    work: &Work<'_>,
) -> Result<usize, Error> {
    let summary = runner::run(RunRequest {
        plan: site.plan,
        engine: site.engine,
        store,
        load: &mut |settings| images.load(settings),
        supply: Some(work),
        options: RunOptions {
            checkpoint_every: CHECKPOINT_EVERY,
            flush_every: FLUSH_EVERY,
            ..options(site)
        },
        stop: site.working.training.stop,
        events: site.working.training.events,
    });
    Ok(summary.map_err(|error| Error::of_run(&error))?.members_trained)
}

/// Returns the round that is worked on, opening one where there is none; nothing where nothing is
/// left to train.
fn current(
    site: &Site<'_>,
    images: &mut Images,
    lanes: u32,
) -> Result<Option<(Round, Store)>, Error> {
    let cannot =
        |error| Error::of_store(format!("cannot work in `{}`", site.folder.display()), &error);
    let digest = Round::digest_of_plan(site.plan.members.iter().map(|member| &member.id));
    let shared = SharedFolder::open(site.folder).map_err(cannot)?;
    let is_ours = |round: &Round| -> Result<bool, Error> {
        Ok(round.plan == digest && !round.is_closed(&shared).map_err(cannot)?)
    };
    let stop = site.working.training.stop;
    let waits = || site.listener.tell(&Notice::RoundAwaited { folder: site.folder.to_owned() });
    loop {
        let (last, number) = Round::last(&shared).map_err(cannot)?;
        if let Some(round) = last
            && is_ours(&round)?
        {
            let store = Store::join(site.folder, &site.draft).map_err(cannot)?;
            return Ok(Some((round, store)));
        }
        let mut store = Store::open_shared(site.folder, site.draft.clone()).map_err(cannot)?;
        let Some(members) = left(site, &mut store)? else { return Ok(None) };
        let turn = Opening::turn(&shared, number, &|| stop.is_requested(), &waits);
        match turn.map_err(cannot)? {
            Turn::Stopped => return Ok(None),
            Turn::Opened(round) if is_ours(&round)? => return Ok(Some((*round, store))),
            Turn::Over | Turn::Opened(_) => {}
            Turn::Ours(opening) => {
                let round = open(site, images, &mut store, members, (number, lanes));
                if let Ok(Some(round)) = &round
                    && round.publish(&shared).map_err(cannot)?
                {
                    return Ok(Some((round.clone(), store)));
                }
                opening.leave(&shared).map_err(cannot)?;
                if round?.is_none() {
                    return Ok(None);
                }
            }
        }
    }
}

/// Describes the next round, once what other folders hold is taken over; `members` are left before
/// that. Nothing where nothing is left after it.
fn open(
    site: &Site<'_>,
    images: &mut Images,
    store: &mut Store,
    mut members: Vec<usize>,
    (number, lanes): (u32, u32),
) -> Result<Option<Round>, Error> {
    if siblings::take_over(store, site.plan, images, site.engine, site.folder)? > 0 {
        let Some(still) = left(site, store)? else { return Ok(None) };
        members = still;
    }
    opened(site, images, store, &members, (number, lanes)).map(Some)
}

/// Returns the members that are to be trained; nothing where no trial is to be scored either.
fn left(site: &Site<'_>, store: &mut Store) -> Result<Option<Vec<usize>>, Error> {
    let (members, trials) = members_to_train(site.plan, store, &options(site))
        .map_err(|error| Error::of_run(&error))?;
    Ok((!members.is_empty() || trials > 0).then_some(members))
}

/// Describes a round of `members`.
fn opened(
    site: &Site<'_>,
    images: &mut Images,
    store: &Store,
    members: &[usize],
    (number, lanes): (u32, u32),
) -> Result<Round, Error> {
    let plan = site.plan;
    let digest = Round::digest_of_plan(plan.members.iter().map(|member| &member.id));
    let mut round = Round::new(number, digest, plan.members.len() as u32, members);
    let is_gpu = site.engine.description().starts_with("cuda");
    round.chunk = site.working.pack.unwrap_or(if is_gpu { PACK } else { 1 });
    round.lanes = lanes.min((members.len() as u32).div_ceil(round.chunk)).max(1);
    round.threads = site.workers as u32;
    let view = store.view();
    for &member in members {
        let id = plan.members[member].id;
        if view.members().get(&id).is_some() {
            round.again.push(Again(member as u32, view.next_attempt(&id), view.next_repair(&id)));
        }
    }
    round.seconds_per_unit = seconds_per_unit(site, images, store, members, is_gpu)?;
    Ok(round)
}

/// Returns the seconds of one unit of cost: as measured before, else as a CPU would need; nothing for
/// programs and GPUs that were never measured.
fn seconds_per_unit(
    site: &Site<'_>,
    images: &mut Images,
    store: &Store,
    members: &[usize],
    is_gpu: bool,
) -> Result<Option<f64>, Error> {
    let plan = site.plan;
    let view = store.view();
    let known = |member: &usize| view.members().get(&plan.members[*member].id);
    let completed: Vec<usize> = (0..plan.members.len())
        .filter(|member| known(member).is_some_and(|record| record.outcome == Outcome::Completed))
        .collect();
    if !completed.is_empty() {
        let order = training_order(plan, &completed, &mut |settings| images.load(settings))
            .map_err(|error| Error::of_run(&error))?;
        let units: u64 = order.iter().map(|(_, units)| (*units).max(1)).sum();
        let seconds: f64 = measured_rates(plan, view).seconds();
        return Ok((seconds > 0.0).then(|| seconds / units as f64));
    }
    let settings = members.first().map(|member| &plan.members[*member].settings);
    let Some(settings) = settings.filter(|settings| settings.trainer.has_networks() && !is_gpu)
    else {
        return Ok(None);
    };
    Ok(Some(PASSES / site.working.kernels.assumed_rate(settings)))
}

/// Ends where nothing is left: the tables are there, or are written now.
fn conclude(site: &Site<'_>, images: &mut Images) -> Result<(), Error> {
    if site.working.training.stop.is_requested() {
        return Ok(());
    }
    if !derived::is_whole(site.folder) {
        close(site, images)?;
    }
    site.listener.tell(&Notice::NothingLeft { folder: site.folder.to_owned() });
    Ok(())
}
