//! `experiments/README.md` held against the language.

use super::{SMALL, read};
use crate::spec::value::Value;
use crate::spec::{EXPERIMENT_KEYS, SETTING_KEYS};

const README: &str = include_str!("../../../experiments/README.md");

#[test]
fn every_listed_key_is_known_to_the_settings() {
    let document = read(SMALL);
    for key in SETTING_KEYS {
        let table = Value::Table(vec![("no-such-key".to_owned(), Value::Bool(true))]);
        let error = document.settings_for([(*key, &table)]).expect_err(key).to_string();
        let last = key.rsplit('.').next().unwrap();
        assert!(!error.contains(&format!("unknown key `{key}`")), "{error}");
        assert!(!error.contains("is no key of the settings"), "{error}");
        assert!(error.contains(last) || error.contains("hyperparameters"), "{key}: {error}");
    }
}

#[test]
fn every_key_is_documented() {
    for key in SETTING_KEYS.iter().chain(EXPERIMENT_KEYS) {
        let last = key.rsplit('.').next().unwrap();
        let is_there = README.contains(&format!("`{last}`"))
            || README.contains(&format!(".{last}`"))
            || README.contains(&format!("{last} ="))
            || README.contains(&format!(", {last} "));
        assert!(is_there, "`{key}` is not documented");
    }
}
