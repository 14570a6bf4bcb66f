//! A document's tree to a [`Contract`], with every problem on the way.

use crate::document::{Document, Position, Value};
use crate::field::{Field, Findings};
use crate::model::Contract;
use crate::problem::{ContractProblem, quoted};
use crate::{columns, custom, names, servers, spark, write_mode};

/// Versions of the standard that Landfall reads.
pub(crate) const API_VERSIONS: [&str; 4] = ["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"];

/// Reads the contract, or says everything that is wrong with it.
pub(crate) fn read(document: &Document) -> (Option<Contract>, Vec<ContractProblem>) {
    let mut findings = Findings { problems: document.problems.clone(), ..Findings::default() };
    // What follows a syntax error is unknown, so nothing can be called missing.
    if document.incomplete {
        return (None, findings.problems);
    }
    let Some(root) = document.root.as_ref().filter(|root| root.value != Value::Null) else {
        findings.problems.push(ContractProblem {
            line: Position::START.line,
            column: Position::START.column,
            path: String::new(),
            reason: "the document is empty".to_owned(),
        });
        return (None, findings.problems);
    };
    let contract = Field::root(root);
    if !contract.expect_map(&mut findings) {
        return (None, findings.problems);
    }
    let contract = read_contract(&contract, &mut findings);
    (contract.filter(|_| findings.problems.is_empty()), findings.problems)
}

fn read_contract(contract: &Field<'_>, findings: &mut Findings) -> Option<Contract> {
    fundamentals(contract, findings);
    let id = contract.required_text("id", findings);
    let version = contract.required_text("version", findings);
    let policy = custom::policy(contract, findings);
    let table = table(contract, findings);
    let dataset = table.as_ref().and_then(|table| dataset_name(table, findings));
    let mut columns =
        table.as_ref().map(|table| columns::read(table, findings)).unwrap_or_default();
    write_mode::fit(contract, &policy, &columns.columns, &mut columns.keys, findings);
    spark::fit(contract, &policy, &columns.columns, findings);
    if let Some(table) = &table {
        table_rules(table, findings);
    }
    let servers = servers::read(contract, dataset.as_deref().unwrap_or_default(), findings);
    statements(contract, findings);
    let dataset = dataset?;
    Some(Contract {
        id: id?.to_owned(),
        version: version?.to_owned(),
        destination: servers.destination(&dataset),
        dataset,
        sources: servers.sources,
        snowflake: servers.snowflake,
        columns: columns.columns,
        partition: columns.partition,
        policy,
        keys: columns.keys,
        metrics: columns.metrics,
        not_enforced: std::mem::take(&mut findings.not_enforced),
    })
}

/// What kind of document this is, and by which version of the standard.
fn fundamentals(contract: &Field<'_>, findings: &mut Findings) {
    let kind = contract.required_text("kind", findings);
    if let (Some(kind), Some(field)) = (kind, contract.get("kind"))
        && kind != "DataContract"
    {
        findings.problem(&field, format!("is {}; a contract is a `DataContract`", quoted(kind)));
    }
    let api_version = contract.required_text("apiVersion", findings);
    if let (Some(version), Some(field)) = (api_version, contract.get("apiVersion")) {
        if !API_VERSIONS.contains(&version) {
            findings.problem(
                &field,
                format!("is {}; Landfall reads {}", quoted(version), API_VERSIONS.join(", ")),
            );
        }
        findings.odcs_3_0 = version.starts_with("v3.0");
    }
    let status = contract.required_text("status", findings);
    if let (Some(status), Some(field)) = (status, contract.get("status"))
        && status != "active"
    {
        findings.not_enforced(
            &field,
            format!("status {} stops no file: remove the contract to stop loading", quoted(status)),
        );
    }
}

/// The one schema object.
fn table<'a>(contract: &Field<'a>, findings: &mut Findings) -> Option<Field<'a>> {
    let Some(schema) = contract.get("schema") else {
        findings.problem(contract, "`schema` is missing");
        return None;
    };
    let before = findings.problems.len();
    let mut tables = schema.items(findings);
    if tables.len() != 1 && findings.problems.len() == before {
        let at = tables.get(1).unwrap_or(&schema);
        findings.problem(
            at,
            format!(
                "`schema` has {} objects; a contract describes one table: write one contract for \
                 each",
                tables.len()
            ),
        );
    }
    let table = (!tables.is_empty()).then(|| tables.remove(0))?;
    table.expect_map(findings).then_some(table)
}

fn dataset_name(table: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let logical = table.required_text("name", findings);
    let (key, name) = match table.get("physicalName") {
        Some(_) => ("physicalName", table.required_text("physicalName", findings)?),
        None => ("name", logical?),
    };
    match names::glue(name) {
        Ok(()) => Some(name.to_owned()),
        Err(reason) => {
            let hint = if key == "name" { "; or add a `physicalName`" } else { "" };
            findings.problem(&table.get(key)?, format!("{reason}{hint}"));
            None
        }
    }
}

fn table_rules(table: &Field<'_>, findings: &mut Findings) {
    let _ = custom::CustomProperties::read(table, custom::Place::Table, findings);
    if let Some(field) = table.get("relationships") {
        findings.not_enforced(&field, "references to other tables are not checked");
    }
}

/// What else the contract promises that Landfall does not see to.
fn statements(contract: &Field<'_>, findings: &mut Findings) {
    for (key, reason) in [
        ("slaProperties", "service levels are not measured"),
        ("roles", "access is granted by IAM and the warehouse, not here"),
    ] {
        if let Some(field) = contract.get(key) {
            findings.not_enforced(&field, reason);
        }
    }
}
