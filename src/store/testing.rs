//! Results stored one by one, for tests.

use super::atomic::Durability;
use super::{Finished, Store, StoreError};
use crate::experiment::StoredPredictions;
use crate::record::{MemberRecord, Predictions, TrialRecord};

impl Store {
    /// Stores one attempt at a member, its predictions first; on the disk when it returns.
    ///
    /// # Errors
    /// If the disk refuses or the folder was opened for reading.
    pub(crate) fn append_member(
        &mut self,
        record: &MemberRecord,
        predictions: Option<&Predictions>,
    ) -> Result<(), StoreError> {
        let (writer, view) = self.parts()?;
        let predictions = match predictions {
            Some(predictions) => {
                let how = StoredPredictions::default();
                writer.write_predictions(predictions, how, Durability::Flushed)?
            }
            None => None,
        };
        let finished = Finished { record, predictions, weights: None };
        let position = writer.add_member(view, &finished)?;
        writer.flush(position)
    }

    /// Stores one trial; on the disk when it returns.
    ///
    /// # Errors
    /// If the disk refuses or the folder was opened for reading.
    pub(crate) fn append_trial(&mut self, record: &TrialRecord) -> Result<(), StoreError> {
        let (writer, view) = self.parts()?;
        let position = writer.add_trial(view, record)?;
        writer.flush(position)
    }
}
