//! Who keeps the table small: custom properties `maintenance` and `snapshotRetentionDays`.
//!
//! Snapshots carry the marks by which a repeated batch is recognised, so they may not expire
//! while a batch can still be repeated (`docs/maintenance.md`).

use crate::custom::CustomProperties;
use crate::field::Findings;
use crate::model::Maintenance;
use crate::problem::quoted;

/// Days that an execution of `ingest` can live: `TimeoutSeconds` of the state machine.
const EXECUTION_DAYS: u32 = 14;
/// Days after its end in which an execution can be redriven, and in which SQS keeps the message
/// that it has ended
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html>).
const REDRIVE_DAYS: u32 = 14;
/// Days for which EventBridge tries to deliver an event: `MaximumEventAgeInSeconds` of the rules.
const DELIVERY_DAYS: u32 = 1;
/// What starts on the last day may run into the next.
const LAST_RUN_DAYS: u32 = 1;

/// The fewest days after which a snapshot may expire.
pub const MINIMUM_SNAPSHOT_RETENTION_DAYS: u32 =
    EXECUTION_DAYS + REDRIVE_DAYS + DELIVERY_DAYS + LAST_RUN_DAYS;

/// More than anybody means, and less than what overflows Glue's numbers.
const MAXIMUM_SNAPSHOT_RETENTION_DAYS: u32 = 36_500;

/// Reads the two properties.
pub(crate) fn read(properties: &CustomProperties<'_>, findings: &mut Findings) -> Maintenance {
    let by_glue =
        properties.choice("maintenance", &[("none", false), ("glue", true)], false, findings);
    let mut snapshot_retention_days = MINIMUM_SNAPSHOT_RETENTION_DAYS;
    if let Some(field) = properties.get("snapshotRetentionDays") {
        if let Some(text) = field.scalar_text(findings) {
            match text.trim().parse::<u32>() {
                Ok(days) if days < MINIMUM_SNAPSHOT_RETENTION_DAYS => findings.problem(
                    field,
                    format!(
                        "is {days}; `snapshotRetentionDays` is at least \
                         {MINIMUM_SNAPSHOT_RETENTION_DAYS}: for so long a batch can be tried \
                         again, and only its snapshot tells that its rows are in the table"
                    ),
                ),
                Ok(days) if days <= MAXIMUM_SNAPSHOT_RETENTION_DAYS => {
                    snapshot_retention_days = days;
                }
                _ => findings.problem(
                    field,
                    format!("is {}; it is a number of days such as `90`", quoted(&text)),
                ),
            }
        }
        if !by_glue {
            findings.problem(field, "`snapshotRetentionDays` needs `maintenance: glue`");
        }
    }
    match by_glue {
        true => Maintenance::Glue { snapshot_retention_days },
        false => Maintenance::None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::custom::Place;
    use crate::document;
    use crate::field::Field;

    fn read(items: &str) -> (Maintenance, Vec<String>) {
        let root = document::read(&format!("customProperties:\n{items}")).root.unwrap();
        let mut findings = Findings::default();
        let properties =
            CustomProperties::read(&Field::root(&root), Place::Contract, &mut findings);
        let maintenance = super::read(&properties, &mut findings);
        (maintenance, findings.problems.into_iter().map(|problem| problem.reason).collect())
    }

    fn by_glue(days: &str) -> (Maintenance, Vec<String>) {
        read(&format!(
            "- {{property: maintenance, value: glue}}\n\
             - {{property: snapshotRetentionDays, value: {days}}}\n"
        ))
    }

    #[test]
    fn nobody_removes_anything_unless_the_contract_says_so() {
        assert_eq!(read("  []\n"), (Maintenance::None, Vec::new()));
        let none = read("- {property: maintenance, value: none}\n");
        assert_eq!(none, (Maintenance::None, Vec::new()));
    }

    #[test]
    fn snapshots_outlast_what_can_be_tried_again() {
        assert_eq!(MINIMUM_SNAPSHOT_RETENTION_DAYS, 30);
        let by_default = read("- {property: maintenance, value: glue}\n");
        let expected = Maintenance::Glue { snapshot_retention_days: 30 };
        assert_eq!(by_default, (expected, Vec::new()));
        assert_eq!(by_glue("30"), by_default);
        let longer = Maintenance::Glue { snapshot_retention_days: 365 };
        assert_eq!(by_glue("365"), (longer, Vec::new()));
    }

    #[test]
    fn a_shorter_retention_is_refused_with_its_reason() {
        for days in ["29", "5", "0"] {
            let problems = by_glue(days).1;
            assert_eq!(problems.len(), 1, "{days}");
            assert!(problems[0].contains(&format!("is {days};")), "{problems:?}");
            assert!(problems[0].contains("at least 30"), "{problems:?}");
            assert!(problems[0].contains("can be tried again"), "{problems:?}");
        }
    }

    #[test]
    fn what_is_no_number_of_days_is_refused() {
        for days in ["-1", "30.5", "a month", "99999999999"] {
            let problems = by_glue(days).1;
            assert_eq!(problems.len(), 1, "{days}");
            assert!(problems[0].contains("a number of days"), "{problems:?}");
        }
        let alone = read("- {property: snapshotRetentionDays, value: 60}\n").1;
        assert_eq!(alone, ["`snapshotRetentionDays` needs `maintenance: glue`"]);
        let other = read("- {property: maintenance, value: spark}\n").1;
        assert!(other[0].contains("one of: none, glue"), "{other:?}");
    }
}
