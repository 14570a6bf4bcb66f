//! Which contract claims an object.

use std::sync::Arc;

use landfall_messages::ObjectVersion;

use crate::contracts::{Document, Reading};

/// The answer for one object.
#[derive(Debug, Clone)]
pub(crate) enum Claim {
    /// This contract, and no other.
    Contract(Arc<Document>),
    /// Two or more contracts.
    Ambiguous(Vec<Arc<Document>>),
    /// No valid contract, but broken documents would if they were mended.
    Broken(Vec<Arc<Document>>),
    /// Nobody. The documents are broken ones that do not say what they claim: one of them
    /// may be the one that was meant.
    Nobody(Vec<Arc<Document>>),
}

/// Finds the claim by bucket, key and glob.
///
/// A broken document is not in force, so it cannot take an object away from a valid one.
pub(crate) fn claim(object: &ObjectVersion, documents: &[Arc<Document>]) -> Claim {
    let mut valid = Vec::new();
    let mut broken = Vec::new();
    let mut silent = Vec::new();
    for document in documents {
        match &document.reading {
            Reading::Valid(contract) => {
                if contract.claims(&object.bucket, &object.key) {
                    valid.push(Arc::clone(document));
                }
            }
            Reading::Broken { locations, .. } => {
                if locations
                    .iter()
                    .any(|(bucket, keys)| *bucket == object.bucket && keys.matches(&object.key))
                {
                    broken.push(Arc::clone(document));
                } else if locations.is_empty() {
                    silent.push(Arc::clone(document));
                }
            }
        }
    }
    match (valid.len(), valid.pop()) {
        (1, Some(only)) => Claim::Contract(only),
        (0, _) if broken.is_empty() => Claim::Nobody(silent),
        (0, _) => Claim::Broken(broken),
        (_, last) => {
            valid.extend(last);
            Claim::Ambiguous(valid)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::tests::{broken_contract, contract, document, object};

    fn names(documents: &[Arc<Document>]) -> Vec<&str> {
        documents.iter().map(|document| document.stem()).collect()
    }

    #[test]
    fn the_one_contract_whose_location_covers_the_key() {
        let documents = [
            document("orders", &contract("orders", "s3://landing/orders/")),
            document("sales", &contract("sales", "s3://landing/sales/**/*.csv")),
        ];
        let Claim::Contract(found) = claim(&object("sales/2026/a b+c%.csv", "v#1"), &documents)
        else {
            panic!("sales claims it");
        };
        assert_eq!(found.stem(), "sales");
        assert!(matches!(claim(&object("sales/a.txt", "v#1"), &documents), Claim::Nobody(_)));
        let mut elsewhere = object("orders/a.csv", "v#1");
        elsewhere.bucket = "other".into();
        assert!(matches!(claim(&elsewhere, &documents), Claim::Nobody(_)));
    }

    #[test]
    fn two_contracts_for_one_key_are_both_named() {
        let documents = [
            document("a", &contract("a", "s3://landing/orders/")),
            document("b", &contract("b", "s3://landing/orders/*.csv")),
        ];
        let Claim::Ambiguous(claimants) = claim(&object("orders/x.csv", "v#1"), &documents) else {
            panic!("both claim it");
        };
        assert_eq!(names(&claimants), ["a", "b"]);
    }

    #[test]
    fn a_broken_document_is_named_unless_a_valid_one_claims_the_object() {
        let broken = document("broken", &broken_contract("s3://landing/orders/"));
        let valid = document("orders", &contract("orders", "s3://landing/orders/"));
        let orders = object("orders/x.csv", "v#1");
        let Claim::Broken(claimants) = claim(&orders, std::slice::from_ref(&broken)) else {
            panic!("the broken document says what it claims");
        };
        assert_eq!(names(&claimants), ["broken"]);
        assert!(matches!(claim(&orders, &[broken.clone(), valid]), Claim::Contract(_)));
        let Claim::Nobody(silent) = claim(&object("sales/x.csv", "v#1"), &[broken]) else {
            panic!("nobody claims it");
        };
        assert!(silent.is_empty());
    }

    #[test]
    fn a_document_that_says_nothing_may_be_the_one_that_was_meant() {
        let documents = [document("shreds", "\u{0}{{{")];
        let Claim::Nobody(silent) = claim(&object("orders/x.csv", "v#1"), &documents) else {
            panic!("nobody claims it");
        };
        assert_eq!(names(&silent), ["shreds"]);
    }
}
