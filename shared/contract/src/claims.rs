//! Which objects a broken contract would claim, so that they are reported with it instead of
//! as files that nobody expects.

use crate::document::{self, MAX_BYTES};
use crate::field::{Field, Findings};
use crate::key_pattern::split_location;
use crate::model::KeyPattern;

/// The (bucket, key pattern) pairs that a document's s3 servers name, however broken the rest
/// of the document is. Locations that are broken themselves are left out; so is everything
/// that cannot be found. For a valid contract these are its sources' buckets and patterns.
pub fn claimed_locations(text: &str) -> Vec<(String, KeyPattern)> {
    let document = document::read(text);
    let mut locations: Vec<String> = Vec::new();
    if let Some(root) = &document.root {
        let mut ignored = Findings::default();
        for server in Field::root(root).list("servers", &mut ignored) {
            let is_s3 = server.text_at("type", &mut ignored).is_none_or(|kind| kind == "s3");
            if let (true, Some(location)) = (is_s3, server.text_at("location", &mut ignored)) {
                locations.push(location.to_owned());
            }
        }
    }
    // The tree ends at a syntax error, and the servers may stand after it.
    if document.incomplete {
        let mut end = text.len().min(MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        locations.extend(text[..end].lines().filter_map(location_in_line));
    }
    let mut claimed: Vec<(String, KeyPattern)> = Vec::new();
    for location in locations {
        let Ok((bucket, pattern)) = split_location(&location) else { continue };
        let Ok(pattern) = KeyPattern::new(pattern) else { continue };
        if !claimed.iter().any(|(b, p)| b == bucket && p.text == pattern.text) {
            claimed.push((bucket.to_owned(), pattern));
        }
    }
    claimed
}

/// `location: s3://...` as it stands in a block mapping, with quotes and a comment removed.
fn location_in_line(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches("- ").trim_start();
    let value = line.strip_prefix("location")?.trim_start().strip_prefix(':')?.trim();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split(" #").next()?.trim_end(),
    };
    value.starts_with("s3://").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Vec<String> {
        claimed_locations(text)
            .into_iter()
            .map(|(bucket, pattern)| format!("{bucket}|{}", pattern.text))
            .collect()
    }

    #[test]
    fn a_contract_with_problems_still_claims() {
        let text = "apiVersion: v9\nservers:\n- {type: s3, location: 's3://landing/a b/'}\n\
                    - {type: glue, location: s3://warehouse/x}\n- {location: s3://landing/b*}\n\
                    - {type: s3, location: nonsense}\n- 5\n";
        assert_eq!(claims(text), ["landing|a b/", "landing|b*"]);
    }

    #[test]
    fn servers_around_a_syntax_error_still_claim() {
        let text = "servers:\n  - type: s3\n    location: s3://landing/a/ # here\nschema: [}\n\
                    more:\n  - location: \"s3://landing/b c/\"\n  - location : s3://landing/d/\n";
        assert_eq!(claims(text), ["landing|a/", "landing|b c/", "landing|d/"]);
    }

    #[test]
    fn nothing_is_claimed_where_nothing_is_named() {
        for text in
            ["", "a: 1", "servers: none", "[", "servers: [{location: s3://LANDING_BUCKET/x/}]"]
        {
            assert!(claims(text).is_empty(), "{text}");
        }
    }
}
