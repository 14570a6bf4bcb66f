//! Contracts for the tests' own datasets.

/// A contract under construction; every part has a default that accepts good files.
pub(crate) struct TestContract<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) bucket: &'a str,
    /// Custom properties, for instance `("onBadRows", "quarantine")`.
    pub(crate) policy: &'a [(&'a str, &'a str)],
    /// More columns, as YAML list items.
    pub(crate) columns: &'a str,
    /// More servers, as YAML list items.
    pub(crate) servers: &'a str,
}

impl<'a> TestContract<'a> {
    pub(crate) fn of(dataset: &'a str, bucket: &'a str) -> Self {
        Self { dataset, bucket, policy: &[], columns: "", servers: "" }
    }

    /// The ODCS document: id, name, amount, day and at, partitioned by day and by bucket of id.
    pub(crate) fn text(&self) -> String {
        let Self { dataset, bucket, columns, servers, .. } = self;
        let mut policy = String::new();
        if !self.policy.is_empty() {
            policy.push_str("customProperties:\n");
            for (name, value) in self.policy {
                policy.push_str(&format!("  - property: {name}\n    value: {value}\n"));
            }
        }
        format!(
            "apiVersion: v3.1.0
kind: DataContract
id: {dataset}
name: {dataset}
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: s3://{bucket}/{dataset}/
    format: csv
    delimiter: ','
{servers}schema:
  - name: {dataset}
    physicalName: {dataset}
    logicalType: object
    properties:
      - name: id
        logicalType: integer
        physicalType: bigint
        required: true
        logicalTypeOptions:
          minimum: 1
      - name: name
        logicalType: string
        logicalTypeOptions:
          minLength: 2
          maxLength: 20
          pattern: '^[A-Za-zÀ-ÿ ]+$'
      - name: amount
        logicalType: number
        physicalType: decimal(12,2)
        logicalTypeOptions:
          minimum: 0
          maximum: 100000
      - name: day
        logicalType: date
        partitioned: true
        partitionKeyPosition: 1
      - name: at
        logicalType: timestamp
        physicalType: timestamptz
{columns}{policy}"
        )
    }
}

/// The header of a file that fits.
pub(crate) const HEADER: &str = "id,name,amount,day,at\n";

/// A file of `rows` good rows with ids from `first`, spread over three days.
pub(crate) fn good_file(first: u64, rows: u64) -> String {
    let mut text = HEADER.to_owned();
    for id in first..first + rows {
        let day = 1 + id % 3;
        text.push_str(&format!(
            "{id},Name,{id}.25,2026-11-{day:02},2026-11-{day:02}T08:00:00.5+01:00\n"
        ));
    }
    text
}
