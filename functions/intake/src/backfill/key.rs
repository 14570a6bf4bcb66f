//! Keys of S3 inventories.

/// What a listed key may be, the likeliest first. An inventory of CSV has its keys URL-encoded
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html>); whoever reads
/// it for us may have decoded them, and does not say so.
pub(super) fn candidates(listed: &str, encoded: bool) -> Vec<String> {
    let mut all = Vec::new();
    if encoded {
        all.extend(decoded(&listed.replace('+', " ")));
        all.extend(decoded(listed));
    }
    all.push(listed.to_owned());
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|key| seen.insert(key.clone()));
    all
}

/// The text with `%xx` replaced; none when that is not UTF-8, or a `%` is followed by no number.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_key_is_taken_as_it_is() {
        assert_eq!(candidates("a%20b+c.csv", false), ["a%20b+c.csv"]);
    }

    #[test]
    fn an_inventorys_key_is_decoded_if_it_can_be() {
        assert_eq!(candidates("orders/a.csv", true), ["orders/a.csv"]);
        assert_eq!(candidates("a+b%2Bc%C3%A9", true), ["a b+cé", "a+b+cé", "a+b%2Bc%C3%A9"]);
        for odd in ["100%", "100%zz", "%FF"] {
            assert_eq!(candidates(odd, true), [odd]);
        }
    }
}
