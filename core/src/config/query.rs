//! CONFIG GET and CONFIG SET.

use super::fault::{Fault, SetError};
use super::row::{Kind, Rules};
use super::store::Config;
use super::table::{self, ROWS};
use super::value::Value;
use crate::glob;

/// What CONFIG SET may do at present.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SetRules {
    /// `enable-protected-configs` allows this client protected parameters.
    pub protected_allowed: bool,
    /// The data set is being loaded.
    pub loading: bool,
}

/// What a CONFIG SET changed, for the server to put into effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes(Vec<Change>);

/// One changed row.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    id: usize,
    old: Value,
}

impl Change {
    /// The row's name.
    pub fn name(&self) -> &'static str {
        ROWS[self.id].name
    }

    /// The value it had.
    pub fn old(&self) -> &Value {
        &self.old
    }
}

impl Changes {
    /// Whether the row of this name (not its alias) changed.
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|change| change.name() == name)
    }

    /// In the order of the command.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.0.iter()
    }

    /// Whether all values were what they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Config {
    /// CONFIG GET: names and values of the parameters that match any of the patterns, each
    /// name once.
    ///
    /// A name without `*`, `?` and `[` is shown as the client spelled it, and finds hidden
    /// parameters too.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], id: usize| {
            if !found.iter().any(|(old, _)| old.eq_ignore_ascii_case(name)) {
                found.push((name.to_vec(), self.values[id].show(&ROWS[id].kind)));
            }
        };
        for pattern in patterns {
            if !glob::is_pattern(pattern) {
                if let Some((id, _)) = table::find(pattern) {
                    add(pattern, id);
                }
                continue;
            }
            for (id, row) in ROWS.iter().enumerate() {
                if row.rules.has(Rules::HIDDEN) {
                    continue;
                }
                for name in [Some(row.name), row.alias].into_iter().flatten() {
                    if glob::matches_ignore_case(pattern, name.as_bytes()) {
                        add(name.as_bytes(), id);
                    }
                }
            }
        }
        found
    }

    /// CONFIG SET: sets all of the pairs, or none.
    ///
    /// What comes back lists the rows whose value has changed. If the server can't put one
    /// into effect it calls [`undo`](Self::undo) and answers [`SetError::failed`].
    pub fn set(&mut self, pairs: &[(&[u8], &[u8])], rules: SetRules) -> Result<Changes, SetError> {
        let ids = settable(pairs, rules)?;
        let mut new = Vec::with_capacity(ids.len());
        for (id, &(name, value)) in ids.iter().copied().zip(pairs) {
            let row = &ROWS[id];
            let args: Vec<&[u8]> = match (row.takes_many(), value) {
                (true, b"") => Vec::new(),
                (true, _) => value.split(|&byte| byte == b' ').collect(),
                (false, _) => vec![value],
            };
            // The save points given are all there are; of other rows the rest stays.
            let nothing = Value::Save(Vec::new());
            let old = if matches!(row.kind, Kind::Save) {
                &nothing
            } else {
                &self.values[id]
            };
            let value = row
                .kind
                .parse(&args, old)
                .and_then(|value| possible_now(row.name, value))
                .map_err(|fault| SetError::Failed(lossy(&name.to_ascii_lowercase()), fault))?;
            new.push((id, value));
        }
        let mut changes = Changes::default();
        for (id, value) in new {
            if self.values[id] != value {
                let old = core::mem::replace(&mut self.values[id], value);
                changes.0.push(Change { id, old });
            }
        }
        Ok(changes)
    }

    /// Gives the rows of a CONFIG SET their old values back.
    pub fn undo(&mut self, changes: Changes) {
        for Change { id, old } in changes.0.into_iter().rev() {
            self.values[id] = old;
        }
    }
}

/// The rows of the pairs, if all of them may be set. A row may come twice under its two names,
/// as in Redis; under one name it may not.
fn settable(pairs: &[(&[u8], &[u8])], rules: SetRules) -> Result<Vec<usize>, SetError> {
    let mut ids = Vec::with_capacity(pairs.len());
    let mut refused = None;
    for (at, &(name, _)) in pairs.iter().enumerate() {
        // Of several errors the first one is told.
        let Some((id, row)) = table::find(name) else {
            return Err(refused.unwrap_or_else(|| SetError::Unknown((*name).into())));
        };
        ids.push(id);
        let repeated = pairs[..at]
            .iter()
            .any(|pair| pair.0.eq_ignore_ascii_case(name));
        let fault = if row.rules.has(Rules::IMMUTABLE) {
            Some("can't set immutable config")
        } else if row.rules.has(Rules::PROTECTED) && !rules.protected_allowed {
            Some("can't set protected config")
        } else if repeated {
            Some("duplicate parameter")
        } else {
            None
        };
        let loading = rules.loading && row.rules.has(Rules::DENY_LOADING);
        refused = refused.or_else(|| match (fault, loading) {
            (Some(fault), _) => Some(SetError::Failed(lossy(name), Fault::Because(fault))),
            (None, true) => Some(SetError::Loading),
            (None, false) => None,
        });
    }
    refused.map_or(Ok(ids), Err)
}

/// What a file may ask for, because another machine's server can do it, but nobody can turn on.
fn possible_now(name: &str, value: Value) -> Result<Value, Fault> {
    match (name, &value) {
        ("activedefrag", Value::Bool(true)) => Err(Fault::Because(
            "Active defragmentation cannot be enabled: this server has none",
        )),
        (_, _) => Ok(value),
    }
}

fn lossy(name: &[u8]) -> Box<str> {
    String::from_utf8_lossy(name).into()
}

#[cfg(test)]
mod tests;
