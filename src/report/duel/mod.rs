//! A duel of commands: what was found, as data and as text.
//!
//! Every rendering is made from one [`DuelReport`]. The statistics are [`gridbench_stats::Duel`]'s.

mod text;

use gridbench_stats::{DuelClaim, DuelState, Moments};
use serde::Serialize;

use super::Page;
use super::compare::CompareFormat;
use crate::base::{Metric, format};

pub(crate) use text::{progress, sentence};

/// What a duel came to, for the command that was named first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DuelVerdict {
    /// It is better than every other.
    FirstBetter,
    /// Another is better.
    FirstWorse,
    /// The commands that are left differ by less than the indifference.
    Equivalent,
    /// It is not worse than the baseline by the indifference or more.
    NoWorse,
    /// Nothing of this is shown yet.
    Undecided,
}

/// Why a duel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DuelEnd {
    /// There is nothing left to find out.
    Decision,
    /// Every command had as many trials as it may have.
    MaxTrials,
    /// The time is over.
    MaxTime,
    /// A command has no value at all.
    NoValues,
}

/// One command, or the baseline that stands for one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DuelCommand {
    /// `A` for the first, `B` for the second and so on; `baseline` for a baseline.
    pub label: String,
    /// The command as typed, or the baseline's file.
    pub command: String,
    /// Whether no other was shown to be better.
    pub is_in: bool,
    /// Trials that were lost.
    pub lost: usize,
    /// Mean of its values.
    pub mean: Option<f64>,
    /// Standard deviation of its values.
    pub sd: Option<f64>,
    /// Values by repeat, as measured; absent where the trial was lost.
    pub values: Vec<Option<f64>>,
}

/// Two commands at the last look at which both were in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DuelPairLine {
    /// Label of the first.
    pub a: String,
    /// Label of the second.
    pub b: String,
    /// Pairs with a value on both sides.
    pub n: usize,
    /// Mean of A − B, as measured.
    pub difference: Option<f64>,
    /// What holds the true difference with 95 % confidence over all looks and pairs of commands.
    pub interval: Option<(f64, f64)>,
    /// Correlation of both sides by seed.
    pub correlation: Option<f64>,
    /// `better`, `worse`, `equivalent` or `no-worse`, of A.
    pub claim: Option<&'static str>,
}

/// What a duel found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DuelReport {
    /// What it came to.
    pub verdict: DuelVerdict,
    /// The same in words.
    pub sentence: String,
    /// Why it ended.
    pub ended_by: DuelEnd,
    /// Label of the only command that is left.
    pub winner: Option<String>,
    /// What was measured.
    pub metric: Metric,
    /// Differences below it are of no interest, as measured, or as a share of a ratio; 0 where every
    /// difference is.
    pub indifference: f64,
    /// Whether `difference` and `interval` are ratios, A to B, instead of differences.
    pub is_ratio: bool,
    /// The chance that anything wrong is ever claimed.
    pub alpha: f64,
    /// Repeats at the last look.
    pub repeats: usize,
    /// Trials of all commands.
    pub trials: usize,
    /// Seconds that this call took.
    pub seconds: f64,
    /// The results folder.
    pub folder: String,
    /// The commands in the order in which they were named.
    pub commands: Vec<DuelCommand>,
    /// Every pair of commands.
    pub pairs: Vec<DuelPairLine>,
}

/// What a duel is reported from.
pub(crate) struct DuelSubject<'a> {
    /// What is measured.
    pub metric: &'a Metric,
    /// Labels and texts of the commands, a baseline last.
    pub commands: &'a [(String, String)],
    /// Whether the last of the commands is a baseline.
    pub has_baseline: bool,
    /// Values of every command by repeat, as measured.
    pub values: &'a [Vec<Option<f64>>],
    /// Differences below it are of no interest, as measured.
    pub indifference: f64,
    /// Whether the state is of logarithms.
    pub is_ratio: bool,
    /// The chance that anything wrong is ever claimed.
    pub alpha: f64,
    /// The results folder.
    pub folder: &'a str,
}

impl DuelReport {
    /// Says what `state` means; `turn` is −1 where smaller values are better, which the state counts
    /// as larger.
    pub(crate) fn of(
        subject: &DuelSubject<'_>,
        state: &DuelState,
        turn: f64,
        ended_by: DuelEnd,
        seconds: f64,
    ) -> Self {
        let label = |command: usize| subject.commands[command].0.clone();
        let in_order = |low: f64, high: f64| if turn < 0.0 { (-high, -low) } else { (low, high) };
        let shown = |value: f64| if subject.is_ratio { value.exp() } else { value };
        let pairs = state.pairs.iter().map(|pair| DuelPairLine {
            a: label(pair.first),
            b: label(pair.second),
            n: pair.n,
            difference: (pair.n > 0).then(|| shown(turn * pair.difference)),
            interval: pair.interval.map(|(low, high)| {
                let (low, high) = in_order(low, high);
                (shown(low), shown(high))
            }),
            correlation: pair.correlation,
            claim: pair.claim.map(|claim| match claim {
                DuelClaim::Better => "better",
                DuelClaim::Worse => "worse",
                DuelClaim::Equivalent => "equivalent",
                DuelClaim::NoWorse => "no-worse",
            }),
        });
        let commands = subject.commands.iter().zip(subject.values).enumerate();
        let commands = commands.map(|(index, ((label, command), values))| {
            let known: Vec<f64> = values.iter().flatten().copied().collect();
            let moments = Moments::of(&known);
            DuelCommand {
                label: label.clone(),
                command: command.clone(),
                is_in: state.is_in[index],
                lost: values.len() - known.len(),
                mean: moments.map(|moments| moments.mean),
                sd: moments.and_then(|moments| moments.sd),
                values: values.clone(),
            }
        });
        let runs = subject.values.len() - usize::from(subject.has_baseline);
        let mut report = Self {
            verdict: verdict(state),
            sentence: String::new(),
            ended_by,
            winner: state.winner().map(label),
            metric: subject.metric.clone(),
            indifference: subject.indifference,
            is_ratio: subject.is_ratio,
            alpha: subject.alpha,
            repeats: state.repeats,
            trials: subject.values[..runs].iter().map(Vec::len).sum(),
            seconds,
            folder: subject.folder.to_owned(),
            commands: commands.collect(),
            pairs: pairs.collect(),
        };
        report.sentence = sentence(&report);
        report
    }
}

fn verdict(state: &DuelState) -> DuelVerdict {
    let has = |claim| state.pairs.iter().any(|pair| pair.claim == Some(claim));
    match () {
        () if state.winner() == Some(0) => DuelVerdict::FirstBetter,
        () if !state.is_in[0] => DuelVerdict::FirstWorse,
        () if has(DuelClaim::NoWorse) => DuelVerdict::NoWorse,
        () if state.is_over && has(DuelClaim::Equivalent) => DuelVerdict::Equivalent,
        () => DuelVerdict::Undecided,
    }
}

/// Writes a duel; the text ends with a line break.
///
/// # Panics
/// Never: every duel has a JSON form.
pub(crate) fn render(report: &DuelReport, form: CompareFormat, page: Page) -> String {
    match form {
        CompareFormat::Terminal => text::terminal(report, page),
        CompareFormat::Markdown => text::markdown(report),
        CompareFormat::Json => format::DUEL.text(report),
    }
}
