//! Custom properties: the place ODCS leaves for a tool's own settings, and Landfall's knobs.
//!
//! A name that Landfall does not know is a problem, because a misspelt knob would otherwise
//! silently mean its default. Properties of other tools carry a namespace: `x-...`, or a name
//! with `.`, `:` or `/` in it. Those are left alone.

use crate::field::{Field, Findings};
use crate::maintenance;
use crate::model::{
    BadRowLimit, EnginePolicy, Latency, OnBadRows, OnDrift, OnOverwrite, Policy, WriteMode,
};
use crate::percent::Percent;
use crate::problem::quoted;
use crate::write_mode;

/// Where custom properties can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Contract,
    S3Server,
    GlueServer,
    SnowflakeServer,
    Table,
    Column,
    /// A column inside another.
    Part,
}

impl Place {
    const ALL: [Self; 7] = [
        Self::Contract,
        Self::S3Server,
        Self::GlueServer,
        Self::SnowflakeServer,
        Self::Table,
        Self::Column,
        Self::Part,
    ];

    fn known(self) -> &'static [&'static str] {
        match self {
            Self::Contract => &[
                "engine",
                "onDrift",
                "onBadRows",
                "badRowLimit",
                "onOverwrite",
                "writeMode",
                "deleteMarker",
                "maintenance",
                "latency",
                "snapshotRetentionDays",
            ],
            Self::S3Server => &[
                "delimiter",
                "quote",
                "header",
                "nullValue",
                "comment",
                "skipLines",
                "compression",
            ],
            Self::SnowflakeServer => {
                &["externalVolume", "catalogIntegration", "role", "snowflakeTable"]
            }
            Self::GlueServer | Self::Table | Self::Part => &[],
            Self::Column => &["partitionTransform"],
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Contract => "the contract's top level",
            Self::S3Server => "a server of type s3",
            Self::GlueServer => "a server of type glue",
            Self::SnowflakeServer => "a server of type snowflake",
            Self::Table => "a schema object",
            Self::Column => "a property of the table",
            Self::Part => "a property inside another",
        }
    }
}

/// The custom properties of one place that Landfall reads, by name.
pub(crate) struct CustomProperties<'a> {
    found: Vec<(&'a str, Field<'a>)>,
}

impl<'a> CustomProperties<'a> {
    /// Reads `customProperties` of `parent`.
    pub(crate) fn read(parent: &Field<'a>, place: Place, findings: &mut Findings) -> Self {
        let mut found: Vec<(&'a str, Field<'a>)> = Vec::new();
        for item in parent.list("customProperties", findings) {
            if !item.expect_map(findings) {
                continue;
            }
            let Some(name) = item.required_text("property", findings) else { continue };
            let name_field = item.get("property").unwrap_or_else(|| item.clone());
            if !place.known().contains(&name) {
                if !has_namespace(name) {
                    findings.problem(&name_field, unknown(name, place));
                }
                continue;
            }
            let Some(value) = item.get("value") else {
                findings.problem(
                    &item,
                    format!(
                        "{} has no value; if it is the word null, put it in quotes",
                        quoted(name)
                    ),
                );
                continue;
            };
            if found.iter().any(|(known, _)| *known == name) {
                findings.problem(&name_field, format!("{} is given twice", quoted(name)));
                continue;
            }
            found.push((name, value));
        }
        Self { found }
    }

    /// Every property, in the document's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &Field<'a>)> {
        self.found.iter().map(|(name, field)| (*name, field))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.found.iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }

    /// The text of a property, not empty.
    pub(crate) fn text(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        let field = self.get(name)?;
        let text = field.text(findings)?;
        if text.is_empty() {
            findings.problem(field, "must not be empty");
            return None;
        }
        Some(text)
    }

    /// The choice that a property names, or the default.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
        default: T,
        findings: &mut Findings,
    ) -> T {
        let Some(field) = self.get(name) else { return default };
        let Some(text) = field.text(findings) else { return default };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => *choice,
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                findings.problem(
                    field,
                    format!("is {}; `{name}` is one of: {}", quoted(text), words.join(", ")),
                );
                default
            }
        }
    }
}

/// Landfall's knobs at the contract's top level.
pub(crate) fn policy(contract: &Field<'_>, findings: &mut Findings) -> Policy {
    let properties = CustomProperties::read(contract, Place::Contract, findings);
    let default = Policy::default();
    let engine = properties.choice(
        "engine",
        &[
            ("auto", EnginePolicy::Auto),
            ("lambda", EnginePolicy::Lambda),
            ("glue", EnginePolicy::Glue),
        ],
        default.engine,
        findings,
    );
    let on_drift = properties.choice(
        "onDrift",
        &[("evolve", OnDrift::Evolve), ("review", OnDrift::Review), ("reject", OnDrift::Reject)],
        default.on_drift,
        findings,
    );
    let on_bad_rows = properties.choice(
        "onBadRows",
        &[
            ("reject", OnBadRows::Reject),
            ("quarantine", OnBadRows::Quarantine),
            ("warn", OnBadRows::Warn),
        ],
        default.on_bad_rows,
        findings,
    );
    let on_overwrite = properties.choice(
        "onOverwrite",
        &[
            ("append", OnOverwrite::Append),
            ("ignore", OnOverwrite::Ignore),
            ("replace", OnOverwrite::Replace),
        ],
        default.on_overwrite,
        findings,
    );
    let write_mode = properties.choice(
        "writeMode",
        &[("append", WriteMode::Append), ("upsert", WriteMode::Upsert)],
        default.write_mode,
        findings,
    );
    let delete_marker = write_mode::read(&properties, write_mode, on_overwrite, findings);
    let bad_row_limit = properties.get("badRowLimit").and_then(|field| {
        let limit = bad_row_limit(field, findings);
        if on_bad_rows != OnBadRows::Quarantine {
            findings.problem(field, "`badRowLimit` needs `onBadRows: quarantine`");
        }
        limit
    });
    let maintenance = maintenance::read(&properties, findings);
    let latency = properties.choice(
        "latency",
        &[("prompt", Latency::Prompt), ("flexible", Latency::Flexible)],
        default.latency,
        findings,
    );
    Policy {
        engine,
        on_drift,
        on_bad_rows,
        bad_row_limit,
        on_overwrite,
        write_mode,
        delete_marker,
        maintenance,
        latency,
    }
}

/// `100` or `0.5%`.
fn bad_row_limit(field: &Field<'_>, findings: &mut Findings) -> Option<BadRowLimit> {
    let text = field.scalar_text(findings)?;
    let limit = match text.trim().strip_suffix('%') {
        None => text.trim().parse().ok().map(BadRowLimit::Count),
        Some(share) => Percent::parse(share.trim()).map(BadRowLimit::Share),
    };
    if limit.is_none() {
        findings.problem(
            field,
            format!(
                "is {}; it is a number of rows such as `100`, or a share such as `0.5%`",
                quoted(&text)
            ),
        );
    }
    limit
}

fn has_namespace(name: &str) -> bool {
    name.starts_with("x-") || name.contains(['.', ':', '/'])
}

fn unknown(name: &str, place: Place) -> String {
    let elsewhere = Place::ALL.into_iter().find(|place| place.known().contains(&name));
    if let Some(elsewhere) = elsewhere {
        return format!("{} belongs on {}, not here", quoted(name), elsewhere.words());
    }
    let nearest = Place::ALL
        .into_iter()
        .flat_map(|place| place.known().iter().map(move |known| (*known, place)))
        .map(|(known, place)| (distance(name, known), known, place))
        .min_by_key(|(distance, _, found)| (*distance, *found != place));
    let hint = match nearest {
        Some((distance, known, found)) if distance <= 2 && distance < known.len() / 2 => {
            if found == place {
                format!("did you mean `{known}`?")
            } else {
                format!("did you mean `{known}`, which belongs on {}?", found.words())
            }
        }
        _ if place.known().is_empty() => format!("Landfall has none on {}", place.words()),
        _ => format!("Landfall's on {} are {}", place.words(), place.known().join(", ")),
    };
    format!(
        "unknown custom property {}: {hint} (another tool's property needs a namespace, such as \
         `x-{}`)",
        quoted(name),
        quoted(name).trim_matches('`')
    )
}

/// Edit distance that ignores case and counts swapped neighbours as one edit.
fn distance(a: &str, b: &str) -> usize {
    // Nothing that long is a misspelt knob, and the table below is quadratic.
    if a.len() > 64 {
        return usize::MAX;
    }
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substitution = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substitution.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document;

    fn read(items: &str) -> (Policy, Vec<String>) {
        let text = format!("customProperties:\n{items}");
        let root = document::read(&text).root.unwrap();
        let mut findings = Findings::default();
        let policy = policy(&Field::root(&root), &mut findings);
        (policy, findings.problems.into_iter().map(|problem| problem.to_string()).collect())
    }

    fn knob(name: &str, value: &str) -> (Policy, Vec<String>) {
        read(&format!("- property: {name}\n  value: {value}\n"))
    }

    #[test]
    fn the_defaults_are_the_safe_ones() {
        let (policy, problems) = read("  []\n");
        assert_eq!(policy, Policy::default());
        assert_eq!(policy.on_drift, OnDrift::Review);
        assert_eq!(policy.on_bad_rows, OnBadRows::Reject);
        assert!(problems.is_empty());
    }

    #[test]
    fn knobs_take_their_words() {
        assert_eq!(knob("engine", "glue").0.engine, EnginePolicy::Glue);
        assert_eq!(knob("engine", "lambda").0.engine, EnginePolicy::Lambda);
        assert_eq!(knob("onDrift", "evolve").0.on_drift, OnDrift::Evolve);
        assert_eq!(knob("onDrift", "reject").0.on_drift, OnDrift::Reject);
        assert_eq!(knob("onBadRows", "warn").0.on_bad_rows, OnBadRows::Warn);
        assert_eq!(knob("writeMode", "upsert").0.write_mode, WriteMode::Upsert);
        assert_eq!(knob("onOverwrite", "replace").0.on_overwrite, OnOverwrite::Replace);
        assert_eq!(knob("latency", "flexible").0.latency, Latency::Flexible);
        assert!(knob("writeMode", "append").1.is_empty());
        assert!(knob("onOverwrite", "append").1.is_empty());
        assert!(knob("onOverwrite", "ignore").1.is_empty());
        assert_eq!(
            knob("onDrift", "evolved").1,
            [
                "line 3, /customProperties/0/value: is `evolved`; `onDrift` is one of: evolve, review, reject"
            ]
        );
    }

    #[test]
    fn bad_row_limits_are_counts_or_shares() {
        let limit = |value: &str| {
            read(&format!(
                "- {{property: onBadRows, value: quarantine}}\n- {{property: badRowLimit, value: {value}}}\n"
            ))
        };
        assert_eq!(limit("100").0.bad_row_limit, Some(BadRowLimit::Count(100)));
        assert_eq!(limit("'0'").0.bad_row_limit, Some(BadRowLimit::Count(0)));
        assert_eq!(limit("0.5%").0.bad_row_limit, Percent::parse("0.5").map(BadRowLimit::Share));
        for wrong in ["-1", "1.5", "101%", "many", "nan%", "0.0000001%"] {
            assert_eq!(limit(wrong).1.len(), 1, "{wrong}");
        }
        assert!(knob("badRowLimit", "5").1[0].contains("needs `onBadRows: quarantine`"));
    }

    #[test]
    fn an_unknown_property_is_a_problem_with_a_suggestion() {
        for (name, hint) in [
            ("onDirft", "did you mean `onDrift`?"),
            ("ondrift", "did you mean `onDrift`?"),
            ("partitionTransform", "belongs on a property"),
            ("nullValues", "did you mean `nullValue`, which belongs on a server of type s3?"),
            ("colour", "Landfall's on the contract's top level are engine"),
        ] {
            let problems = knob(name, "x").1;
            assert_eq!(problems.len(), 1, "{name}");
            assert!(problems[0].contains(hint), "{name}: {problems:?}");
            assert!(
                problems[0].starts_with("line 2, /customProperties/0/property"),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn other_tools_have_a_namespace() {
        for name in ["x-owner", "dbt.materialized", "soda:checks", "example.org/x"] {
            assert!(knob(name, "x").1.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_property_is_given_once_and_with_a_value() {
        let twice = "- {property: engine, value: glue}\n- {property: engine, value: auto}\n";
        assert!(read(twice).1[0].contains("given twice"));
        assert!(read("- {property: engine}\n").1[0].contains("has no value"));
        assert!(read("- {value: 1}\n").1[0].contains("`property` is missing"));
        assert!(read("- engine\n").1[0].contains("must be a mapping"));
        assert!(read("  engine: glue\n").1[0].contains("must be a list"));
    }
}
