//! Trials of a program that was changed in a way that alters nothing: `bench adopt`.
//!
//! A folder says in `adopted.json` which program stands for which: the later one is taken for the earlier
//! wherever a plan is drawn, so finished trials stay, and no record is touched.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, Session};
use crate::base::{Digest, format};
use crate::experiment::settings::CommandSettings;
use crate::store::{FileFacts, Manifest, ProgramFacts, Store, atomic, now, read_file};

/// Name of the file in a results folder.
const FILE: &str = "adopted.json";

/// A program that stands for an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Adoption {
    /// When it was said, RFC 3339.
    pub(crate) when: String,
    /// Who said it, as the system calls them.
    pub(crate) who: String,
    /// The program whose trials stay.
    pub(crate) from: Digest,
    /// The program that would give the same.
    pub(crate) to: Digest,
    /// What had changed, in words.
    pub(crate) changes: Vec<String>,
    /// Why it alters nothing, as said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// `adopted.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Adoptions {
    adoptions: Vec<Adoption>,
}

impl Adoptions {
    /// Returns what a results folder says.
    ///
    /// # Errors
    /// If it says something that cannot be read.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let Ok(text) = read_file(&path) else { return Ok(Self::default()) };
        serde_json::from_slice(&text).map_err(|error| {
            Error::input(format!("cannot read `{}`", path.display()))
                .because(&error)
                .hint(Some("mend it, or remove it: trials it speaks of are run again then"))
        })
    }

    /// Returns the program that another stands for.
    pub(super) fn original(&self, program: &Digest) -> Option<Digest> {
        let mut found = *program;
        // Each is followed once, so that a circle comes to an end.
        for _ in 0..=self.adoptions.len() {
            match self.adoptions.iter().rev().find(|one| one.to == found) {
                Some(one) if one.from != found => found = one.from,
                _ => break,
            }
        }
        (found != *program).then_some(found)
    }
}

/// What `bench adopt` would say in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    /// What it would record, a program each.
    pub(crate) adoptions: Vec<Adoption>,
    /// Finished members that would stay.
    pub(crate) members: usize,
    /// Members that the experiment has.
    pub(crate) of: usize,
}

/// Says which finished trials would stay if the programs as they are now stand for those that the results
/// were made with.
///
/// # Errors
/// If there are no results, or nothing changed that can be adopted.
pub(crate) fn propose(session: &mut Session, reason: Option<&str>) -> Result<Proposal, Error> {
    let cannot =
        |folder: &Path| Error::input(format!("cannot adopt results in `{}`", folder.display()));
    // Planning looks at the programs as they are now.
    session.plan()?;
    let Session { experiment: loaded, images, folder } = session;
    let known = Manifest::read(folder)
        .map_err(|error| cannot(folder).because(&error).hint(error.hint()))?
        .ok_or_else(|| {
            cannot(folder)
                .because_of("there are none")
                .hint(Some("name the folder with `--out`, or run the experiment first"))
        })?;
    if loaded.document.experiment().measure.is_some() {
        return Err(cannot(folder)
            .because_of("they are times of the program, which any change may alter")
            .hint(Some("run it again")));
    }
    let mut adoptions: Vec<Adoption> = Vec::new();
    for (command, facts) in &images.programs {
        let Some(earlier) = earlier(&known, command, facts) else { continue };
        let changes = changes(earlier, facts);
        if changes.is_empty() {
            return Err(cannot(folder)
                .because_of("what changed is where numbers stand in the program's answers")
                .hint(Some("run it again: its files and its version are the same")));
        }
        if !adoptions.iter().any(|one| one.to == facts.digest) {
            adoptions.push(Adoption {
                when: now(),
                who: who(),
                from: earlier.digest,
                to: facts.digest,
                changes,
                reason: reason.map(str::to_owned),
            });
        }
    }
    if adoptions.is_empty() {
        return Err(cannot(folder)
            .because_of("its programs are what they were")
            .hint(Some("`bench run` goes on where it was")));
    }
    let store = Store::open_reader(folder)
        .map_err(|error| Error::of_store(format!("cannot read `{}`", folder.display()), &error))?;
    for (_, facts) in &mut images.programs {
        if let Some(one) = adoptions.iter().find(|one| one.to == facts.digest) {
            facts.digest = one.from;
        }
    }
    let adopted = loaded.checked_plan(images)?;
    let members = adopted.members.iter().filter(|one| store.members().get(&one.id).is_some());
    let (members, of) = (members.count(), adopted.members.len());
    Ok(Proposal { adoptions, members, of })
}

/// Records in a results folder what was proposed.
///
/// # Errors
/// If the disk refuses.
pub(crate) fn adopt(folder: &Path, proposal: &Proposal) -> Result<(), Error> {
    let mut all = Adoptions::in_folder(folder)?;
    all.adoptions.extend(proposal.adoptions.iter().cloned());
    atomic::write(&folder.join(FILE), format::ADOPTIONS.text(&all).as_bytes())
        .map_err(|error| Error::unwritable("what was adopted", &error))
}

/// Returns the program of the results that was called like this one and was another.
fn earlier<'m>(
    known: &'m Manifest,
    command: &CommandSettings,
    facts: &ProgramFacts,
) -> Option<&'m ProgramFacts> {
    let programs = &known.run.programs;
    let exactly = || programs.iter().find(|one| one.settings == facts.settings);
    let in_meaning = || {
        programs.iter().find(|one| {
            serde_json::from_value::<CommandSettings>(one.settings.clone())
                .is_ok_and(|one| one.meaning() == command.meaning())
        })
    };
    exactly().or_else(in_meaning).filter(|one| one.digest != facts.digest)
}

/// Says what of the files and the version of a program changed.
fn changes(before: &ProgramFacts, now: &ProgramFacts) -> Vec<String> {
    let find = |facts: &'_ ProgramFacts, name: &str| -> Option<FileFacts> {
        facts.files.iter().find(|file| file.name == name).cloned()
    };
    let mut changes = Vec::new();
    for file in &now.files {
        let name = &file.name;
        match find(before, name) {
            Some(known) if known.digest == file.digest => {}
            Some(known) => changes.push(format!(
                "`{name}` changed, {} to {} bytes, {} to {}",
                known.bytes,
                file.bytes,
                known.digest.short(),
                file.digest.short()
            )),
            None => changes.push(format!("`{name}` is new among the inputs")),
        }
    }
    let gone = before.files.iter().filter(|file| find(now, &file.name).is_none());
    changes.extend(gone.map(|file| format!("`{}` is no input any more", file.name)));
    if before.version != now.version {
        let said = |facts: &ProgramFacts| match &facts.version {
            Some(text) => format!("`{}`", text.lines().next().unwrap_or_default()),
            None => "nothing".to_owned(),
        };
        changes.push(format!("`trainer.version` says {}, not {}", said(now), said(before)));
    }
    changes
}

fn who() -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(std::env::var_os);
    let name = name.map(|name| crate::base::text::harmless(&name.to_string_lossy(), false));
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest_of;

    #[test]
    fn programs_stand_for_the_first_of_their_line_and_circles_end() {
        let [a, b, c, d] = [b"a", b"b", b"c", b"d"].map(|text| digest_of(text));
        let one = |from, to| Adoption {
            when: String::new(),
            who: String::new(),
            from,
            to,
            changes: Vec::new(),
            reason: None,
        };
        let line = Adoptions { adoptions: vec![one(a, b), one(b, c)] };
        assert_eq!(line.original(&c), Some(a));
        assert_eq!(line.original(&b), Some(a));
        assert_eq!(line.original(&a), None);
        assert_eq!(line.original(&d), None);
        let circle = Adoptions { adoptions: vec![one(a, b), one(b, a)] };
        assert!(circle.original(&a).is_none_or(|found| found == b));
    }
}
