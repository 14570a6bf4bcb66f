//! What keeps objects from being loaded, put into words.

use std::sync::Arc;

use landfall_messages::ObjectVersion;
use landfall_messages::{Batch, ContractRef, ExecutionInput, Problem, ProblemKind, batch_id};

use crate::contracts::{Document, PREFIX, Reading};
use crate::matching::Claim;

/// Dataset name of objects that no contract claims.
const UNCLAIMED: &str = "unclaimed";

/// Bound of a problem's text, in bytes: it travels through every state of the execution.
const LONGEST_MESSAGE: usize = 4096;

/// Bound of the contracts a problem names.
const MOST_CONTRACTS: usize = 10;

/// Dataset name under which an object with this problem stands in the ledger. A broken
/// document's file name is the best guess there is.
pub(crate) fn dataset(claim: &Claim) -> String {
    match claim {
        Claim::Nobody(_) => UNCLAIMED.to_owned(),
        Claim::Contract(document) => match &document.reading {
            Reading::Valid(contract) => contract.dataset.clone(),
            Reading::Broken { .. } => document.stem().to_owned(),
        },
        Claim::Broken(documents) | Claim::Ambiguous(documents) => {
            documents.first().map_or(UNCLAIMED, |document| document.stem()).to_owned()
        }
    }
}

/// The problem that a claim is; none when a contract claims the objects.
pub(crate) fn problem(
    claim: &Claim,
    first: &ObjectVersion,
    count: usize,
    config_bucket: &str,
) -> Option<Problem> {
    let objects = match count {
        1 => first.path(),
        _ => format!("{} and {} more", first.path(), count - 1),
    };
    let (kind, documents, message) = match claim {
        Claim::Contract(_) => return None,
        Claim::Nobody(silent) => {
            let mut message = format!(
                "no contract claims {objects}; upload a contract to s3://{config_bucket}/{PREFIX} \
                 with a server of type s3 whose location covers the key, then upload again"
            );
            if !silent.is_empty() {
                message.push_str("; it may be meant by one that cannot be read: ");
                message.push_str(&paths(silent));
            }
            (ProblemKind::ContractNotFound, silent, message)
        }
        Claim::Ambiguous(documents) => (
            ProblemKind::ContractAmbiguous,
            documents,
            format!(
                "{} contracts claim {objects}: {}; narrow their locations until one is left, \
                 then upload again",
                documents.len(),
                paths(documents)
            ),
        ),
        Claim::Broken(documents) => (
            ProblemKind::ContractInvalid,
            documents,
            format!(
                "the contract of {objects} is not valid; correct it, upload it, then upload the \
                 objects again. {}",
                documents.iter().map(|document| fault(document)).collect::<Vec<_>>().join("\n")
            ),
        ),
    };
    Some(Problem { kind, message: shortened(message), contracts: references(documents) })
}

/// The execution that reports a broken contract when it is uploaded.
pub(crate) fn of_upload(document: &Document, upload: &ObjectVersion) -> ExecutionInput {
    let message = format!(
        "the contract is not valid and not in force; correct it and upload it again. {}",
        fault(document)
    );
    let name = format!("contract-{}", document.stem());
    ExecutionInput {
        batch: Batch {
            id: batch_id(&name, std::slice::from_ref(upload)),
            dataset: "contracts".to_owned(),
            contract: document.reference.clone(),
            objects: Vec::new(),
        },
        problem: Some(Problem {
            kind: ProblemKind::ContractInvalid,
            message: shortened(message),
            contracts: vec![document.reference.clone()],
        }),
    }
}

/// Start of the execution's name. No dataset has a hyphen, so that a batch to load never has
/// the name of a problem, but for a dataset called `unclaimed`.
pub(crate) fn name(claim: &Claim) -> String {
    match claim {
        Claim::Contract(_) | Claim::Nobody(_) => dataset(claim),
        Claim::Broken(_) => format!("contract-{}", dataset(claim)),
        Claim::Ambiguous(_) => format!("contract-ambiguous-{}", dataset(claim)),
    }
}

/// The contract that an execution names: the first one concerned, or the place where one is
/// missing.
pub(crate) fn contract(claim: &Claim, config_bucket: &str) -> ContractRef {
    match claim {
        Claim::Contract(document) => Some(document),
        Claim::Broken(documents) | Claim::Ambiguous(documents) => documents.first(),
        Claim::Nobody(_) => None,
    }
    .map_or_else(
        || ContractRef {
            bucket: config_bucket.to_owned(),
            key: PREFIX.to_owned(),
            etag: String::new(),
            version_id: None,
        },
        |document| document.reference.clone(),
    )
}

fn fault(document: &Document) -> String {
    let problems = match &document.reading {
        Reading::Broken { problems, .. } => problems,
        Reading::Valid(_) => "it is valid",
    };
    format!("{}: {problems}", document.path())
}

fn paths(documents: &[Arc<Document>]) -> String {
    let paths: Vec<String> = documents.iter().map(|document| document.path()).collect();
    paths.join(", ")
}

fn references(documents: &[Arc<Document>]) -> Vec<ContractRef> {
    documents.iter().take(MOST_CONTRACTS).map(|document| document.reference.clone()).collect()
}

fn shortened(mut message: String) -> String {
    const MARK: &str = " ...";
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE - MARK.len()));
        message.push_str(MARK);
    }
    message
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::tests::{broken_contract, contract, document, object};

    #[test]
    fn each_problem_says_what_where_and_what_to_do() {
        let object = object("orders/a.csv", "v#1");
        let nobody = problem(&Claim::Nobody(Vec::new()), &object, 3, "config").unwrap();
        assert_eq!(nobody.kind, ProblemKind::ContractNotFound);
        assert!(nobody.message.starts_with(
            "no contract claims s3://landing/orders/a.csv and 2 more; upload a contract to \
             s3://config/contracts/"
        ));

        let both = ["a", "b"].map(|name| document(name, &contract(name, "s3://landing/")));
        let ambiguous = problem(&Claim::Ambiguous(both.to_vec()), &object, 1, "config").unwrap();
        assert_eq!(ambiguous.kind, ProblemKind::ContractAmbiguous);
        assert!(
            ambiguous
                .message
                .contains("s3://config/contracts/a.yaml, s3://config/contracts/b.yaml")
        );
        assert_eq!(ambiguous.contracts.len(), 2);

        let broken = document("orders", &broken_contract("s3://landing/orders/"));
        let invalid = problem(&Claim::Broken(vec![broken]), &object, 1, "config").unwrap();
        assert_eq!(invalid.kind, ProblemKind::ContractInvalid);
        assert!(invalid.message.contains("s3://config/contracts/orders.yaml: line "));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let cut = shortened("é".repeat(LONGEST_MESSAGE));
        assert!(cut.len() <= LONGEST_MESSAGE && cut.ends_with("é ..."), "{}", cut.len());
        assert_eq!(shortened("short".into()), "short");
    }

    #[test]
    fn names_are_the_same_for_a_redelivered_problem() {
        let broken = document("orders", &broken_contract("s3://landing/orders/"));
        let upload = object("contracts/orders.yaml", "v#1");
        let first = of_upload(&broken, &upload).batch.id;
        assert_eq!(first, of_upload(&broken, &upload).batch.id);
        assert!(first.starts_with("contract-orders-20261121T080000Z-"), "{first}");
    }
}
