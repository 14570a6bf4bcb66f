//! What a row is to the rows before it: its keys, and what metrics count. Only a contract that
//! has either pays for it.

use landfall_contract::{Contract, KeyOrigin};

use super::cells::Cells;
use crate::canonical;
use crate::column::ColumnCheck;
use crate::faults::{Faults, RowStatus};
use crate::keys::{Earlier, Fingerprint, KeysChecked, SeenKeys};
use crate::metrics::{MetricOutcome, Metrics};
use crate::rule::Rule;
use crate::show::text_of;
use crate::value::Value;

/// Watches the rows of one file.
#[derive(Debug)]
pub(super) struct Watch {
    keys: Vec<KeyCheck>,
    seen: SeenKeys,
    checked: KeysChecked,
    metrics: Metrics,
    /// The key at hand; only its allocation is kept.
    scratch: Vec<u8>,
    /// The keys of the row at hand.
    found: Vec<(usize, Fingerprint)>,
}

/// One key of the contract.
#[derive(Debug)]
struct KeyCheck {
    columns: Vec<String>,
    origin: KeyOrigin,
    /// Where its columns are; none while that is not known, or when the file lacks one: then
    /// every key has a null in it.
    places: Option<Vec<usize>>,
    uuid: bool,
    /// The columns as reports name them.
    path: String,
}

/// Finds the places of columns by the names the contract has for them.
pub(crate) fn places_of(names: &[String], columns: &[ColumnCheck]) -> Option<Vec<usize>> {
    names.iter().map(|name| columns.iter().position(|column| column.name() == name)).collect()
}

/// The fingerprint of the values at these places; none when one of them is null.
#[inline]
pub(crate) fn fingerprint<C: Cells + ?Sized>(
    row: &C,
    places: &[usize],
    columns: &[ColumnCheck],
    uuid: bool,
    scratch: &mut Vec<u8>,
) -> Option<Fingerprint> {
    scratch.clear();
    for (index, place) in places.iter().enumerate() {
        let value = row.value(*place, columns.get(*place)?);
        match &value {
            Value::Null => return None,
            // What comes last needs no length.
            Value::Str(text) if index + 1 == places.len() => {
                scratch.extend_from_slice(text.as_bytes());
            }
            value => canonical::push(value, scratch),
        }
    }
    Some(Fingerprint::new(scratch, uuid))
}

impl Watch {
    /// A watch, if the contract has something to watch for.
    pub(super) fn new(contract: &Contract, mut seen: SeenKeys, max_bytes: usize) -> Option<Self> {
        if contract.keys.is_empty() && contract.metrics.is_empty() {
            return None;
        }
        seen.start_file(contract.keys.len(), max_bytes);
        let keys = contract.keys.iter().map(|key| KeyCheck {
            columns: key.columns.clone(),
            origin: key.origin,
            places: None,
            uuid: false,
            path: key.columns.join(", "),
        });
        Some(Self {
            keys: keys.collect(),
            checked: if (0..contract.keys.len()).any(|index| seen.is_beyond(index)) {
                KeysChecked::Beyond { rows: 0 }
            } else {
                KeysChecked::All
            },
            seen,
            metrics: Metrics::new(contract, max_bytes),
            scratch: Vec::new(),
            found: Vec::new(),
        })
    }

    /// Learns where the columns are.
    pub(super) fn bind(&mut self, columns: &[ColumnCheck]) {
        for key in &mut self.keys {
            key.places = places_of(&key.columns, columns);
            key.uuid = is_uuid(key.places.as_deref(), columns);
        }
        self.metrics.bind(columns);
    }

    /// Takes a row that fared so far as `faults` has it. The keys of a row that is not loaded
    /// do not count, so they are not looked at.
    pub(super) fn row<C: Cells + ?Sized>(
        &mut self,
        row: &C,
        columns: &[ColumnCheck],
        rows: u64,
        loads_rule_breakers: bool,
        faults: &mut Faults<'_>,
    ) {
        self.metrics.row(row, columns, &mut self.scratch, self.seen.bytes());
        let loaded = |status| {
            status == RowStatus::Good || (status == RowStatus::BreaksRules && loads_rule_breakers)
        };
        if !loaded(faults.status) {
            return;
        }
        self.found.clear();
        let single = self.keys.len() == 1;
        for (index, key) in self.keys.iter().enumerate() {
            if self.seen.is_beyond(index) {
                continue;
            }
            let Some(places) = &key.places else { continue };
            let Some(print) = fingerprint(row, places, columns, key.uuid, &mut self.scratch) else {
                continue;
            };
            let earlier = if single {
                // Nothing else can keep the row out, so one look does for two.
                match self.seen.insert(index, print, self.metrics.bytes()) {
                    Ok(earlier) => earlier,
                    Err(_) => {
                        self.checked = KeysChecked::Beyond { rows: rows - 1 };
                        None
                    }
                }
            } else {
                self.found.push((index, print));
                self.seen.find(index, print)
            };
            if let Some(earlier) = earlier {
                key.report(row, places, columns, earlier, faults);
            }
        }
        if loaded(faults.status) {
            for (index, print) in &self.found {
                if self.seen.insert(*index, *print, self.metrics.bytes()).is_err() {
                    self.checked = match self.checked {
                        KeysChecked::All => KeysChecked::Beyond { rows: rows - 1 },
                        earlier => earlier,
                    };
                }
            }
        }
    }

    /// What the metrics came to, over so many rows.
    pub(super) fn take_outcomes(&mut self, rows: u64) -> Vec<MetricOutcome> {
        self.metrics.outcomes(rows)
    }

    /// What was checked, and the keys for the next file.
    pub(super) fn into_keys(self) -> (KeysChecked, SeenKeys) {
        let checked = match (self.checked, self.metrics.beyond()) {
            (KeysChecked::All, Some(rows)) => KeysChecked::Beyond { rows },
            (checked, _) => checked,
        };
        (checked, self.seen)
    }
}

/// Whether the key is one UUID and nothing else, so that each key is 16 bytes.
pub(crate) fn is_uuid(places: Option<&[usize]>, columns: &[ColumnCheck]) -> bool {
    match places {
        Some([place]) => columns.get(*place).is_some_and(ColumnCheck::is_uuid),
        _ => false,
    }
}

impl KeyCheck {
    #[cold]
    fn report<C: Cells + ?Sized>(
        &self,
        row: &C,
        places: &[usize],
        columns: &[ColumnCheck],
        earlier: Earlier,
        faults: &mut Faults<'_>,
    ) {
        let key = || {
            let texts = places.iter().filter_map(|place| {
                let column = columns.get(*place)?;
                let value = row.value(*place, column);
                column.repeat(text_of(&value, column.data_type()).as_bytes())
            });
            let texts: Vec<String> = texts.collect();
            // One sensitive column hides the key.
            (texts.len() == places.len()).then(|| texts.join(", "))
        };
        faults.at_path(&self.path, Rule::Unique, || {
            let value = key();
            let shown = value.as_ref().map_or_else(String::new, |value| format!(" ({value})"));
            let name = match self.origin {
                KeyOrigin::PrimaryKey => "the primary key",
                KeyOrigin::Unique | KeyOrigin::Metric if self.columns.len() == 1 => "the value",
                KeyOrigin::Unique | KeyOrigin::Metric => "the key",
            };
            let place = match earlier {
                Earlier::InThisFile => "an earlier row",
                Earlier::InTheBatch => "an earlier file of the batch",
            };
            (format!("{name} of {}{shown} is in {place} too", self.path), value)
        });
    }
}

#[cfg(test)]
mod tests;
