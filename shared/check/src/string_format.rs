//! The forms of text that a contract can name in `logicalTypeOptions.format`.

use std::net::{Ipv4Addr, Ipv6Addr};

use landfall_contract::StringFormat;

use crate::value;

/// Whether the text, which is UTF-8, has the form.
pub(crate) fn has_form(format: StringFormat, text: &[u8]) -> bool {
    match format {
        StringFormat::Email => is_email(text),
        StringFormat::Hostname => is_hostname(text),
        StringFormat::Ipv4 => is_ipv4(text),
        StringFormat::Ipv6 => is_ipv6(text),
        StringFormat::Uri => is_uri(text),
        StringFormat::Uuid => value::uuid(text).is_some(),
        StringFormat::Byte => is_base64(text),
    }
}

/// What the form is, for people: it follows "is not".
pub(crate) fn described(format: StringFormat) -> &'static str {
    match format {
        StringFormat::Email => "an email address: local@domain, RFC 5321",
        StringFormat::Hostname => "a host name: labels of letters, digits and hyphens, RFC 1123",
        StringFormat::Ipv4 => "an IPv4 address: four numbers up to 255 with points between",
        StringFormat::Ipv6 => "an IPv6 address, RFC 4291",
        StringFormat::Uri => "a URI with a scheme, RFC 3986",
        StringFormat::Uuid => "a UUID: 32 hexadecimal digits in groups of 8-4-4-4-12",
        StringFormat::Byte => "Base64: groups of four characters, padded with =, RFC 4648",
    }
}

/// RFC 5321 section 4.1.2 `Mailbox`, without quoted local parts: a dot-atom of at most 64
/// bytes, and a domain or an address literal; 254 bytes in all (RFC 3696 erratum 1690).
fn is_email(text: &[u8]) -> bool {
    let Some(at) = text.iter().rposition(|byte| *byte == b'@') else { return false };
    let (local, domain) = (&text[..at], &text[at + 1..]);
    let is_atom = |atom: &[u8]| {
        !atom.is_empty()
            && atom
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(byte))
    };
    text.len() <= 254
        && local.len() <= 64
        && local.split(|byte| *byte == b'.').all(is_atom)
        && match domain {
            [b'[', b'I', b'P', b'v', b'6', b':', address @ .., b']'] => is_ipv6(address),
            [b'[', address @ .., b']'] => is_ipv4(address),
            domain => is_hostname(domain),
        }
}

/// RFC 1123 section 2.1: labels of 1 to 63 letters, digits and inner hyphens, 253 bytes in
/// all. A dotted quad is an address and no name.
fn is_hostname(text: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.first() != Some(&b'-')
            && label.last() != Some(&b'-')
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    text.len() <= 253 && text.split(|byte| *byte == b'.').all(is_label) && !is_ipv4(text)
}

fn is_ipv4(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

fn is_ipv6(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// RFC 3986 section 3: `scheme ":" hier-part ["?" query] ["#" fragment]`.
fn is_uri(text: &[u8]) -> bool {
    let Some(colon) = text.iter().position(|byte| *byte == b':') else { return false };
    let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let (rest, fragment) = cut(rest, b'#');
    let (hier, query) = cut(rest, b'?');
    is_scheme
        && fragment.is_none_or(|fragment| is_made_of(fragment, b":@/?"))
        && query.is_none_or(|query| is_made_of(query, b":@/?"))
        && match hier {
            [b'/', b'/', rest @ ..] => {
                let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
                is_authority(&rest[..end]) && is_made_of(&rest[end..], b":@/")
            }
            path => is_made_of(path, b":@/"),
        }
}

/// What stands before the first such byte, and what stands behind it.
fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == at) {
        Some(place) => (&text[..place], Some(&text[place + 1..])),
        None => (text, None),
    }
}

/// RFC 3986 section 3.2: `[userinfo "@"] host [":" port]`.
fn is_authority(text: &[u8]) -> bool {
    let (user, host) = match text.iter().rposition(|byte| *byte == b'@') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (&[][..], text),
    };
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    is_made_of(user, b":")
        && match host {
            [b'[', literal @ ..] => {
                let (address, rest) = cut(literal, b']');
                let port = match rest {
                    Some([]) => true,
                    Some([b':', port @ ..]) => is_port(port),
                    _ => false,
                };
                port && (is_ipv6(address) || is_future_address(address))
            }
            host => {
                let (name, port) = cut(host, b':');
                is_made_of(name, b"") && port.is_none_or(is_port)
            }
        }
}

/// RFC 3986 section 3.2.2 `IPvFuture`.
fn is_future_address(text: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = text else { return false };
    let (version, address) = cut(rest, b'.');
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && address.is_some_and(|address| {
            !address.is_empty() && !address.contains(&b'%') && is_made_of(address, b":")
        })
}

/// Whether the text is made of unreserved characters, sub-delimiters, percent-encoded bytes
/// and the others given (RFC 3986 sections 2.1 to 2.3).
fn is_made_of(text: &[u8], others: &[u8]) -> bool {
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'%' => {
                bytes.next().is_some_and(u8::is_ascii_hexdigit)
                    && bytes.next().is_some_and(u8::is_ascii_hexdigit)
            }
            byte => {
                byte.is_ascii_alphanumeric()
                    || b"-._~!$&'()*+,;=".contains(byte)
                    || others.contains(byte)
            }
        };
        if !allowed {
            return false;
        }
    }
    true
}

/// RFC 4648 section 4, padded, and without bits that no decoder would give back.
fn is_base64(text: &[u8]) -> bool {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (digits, unused) = match text {
        [digits @ .., b'=', b'='] => (digits, 0b1111),
        [digits @ .., b'='] => (digits, 0b11),
        digits => (digits, 0),
    };
    text.len().is_multiple_of(4)
        && digits.iter().all(|byte| digit(*byte).is_some())
        && digits.last().and_then(|byte| digit(*byte)).is_none_or(|last| last & unused == 0)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::generate::Random;

    fn sorted(format: StringFormat, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(has_form(format, text.as_bytes()), "{format:?} {text:?}");
        }
        for text in bad {
            assert!(!has_form(format, text.as_bytes()), "{format:?} {text:?}");
        }
    }

    #[test]
    fn email_addresses() {
        let long_local = format!("{}@example.com", "x".repeat(65));
        let long = format!("x@{}", ["a".repeat(49).as_str(); 6].join("."));
        sorted(
            StringFormat::Email,
            &[
                "joe.bloggs@example.com",
                "te~st@example.com",
                "a+b/c=d@sub.example.co.uk",
                "a@b",
                "joe@[127.0.0.1]",
                "joe@[IPv6:2001:db8::1]",
            ],
            &[
                "",
                "2962",
                "@example.com",
                "a@",
                ".a@example.com",
                "a.@example.com",
                "a..b@example.com",
                "a b@example.com",
                "\"a b\"@example.com",
                "a@b@c",
                "a@invalid=domain.com",
                "a@-b.com",
                "a@b..com",
                "a@[127.0.0.300]",
                "a@127.0.0.1",
                "é@example.com",
                "Joe <joe@example.com>",
                " a@b.com",
                &long_local,
                &long,
            ],
        );
    }

    #[test]
    fn host_names() {
        let label = "a".repeat(63);
        let long = [label.as_str(); 4].join(".");
        sorted(
            StringFormat::Hostname,
            &["example.com", "a", "3com.com", "xn--4gbwdl.xn--wgbh1c", "a-b.c", &label],
            &[
                "",
                "-a.com",
                "a-.com",
                "a_b.com",
                "a..b",
                "a.",
                ".a",
                "127.0.0.1",
                "ü.de",
                "a b",
                &format!("{label}a"),
                &long,
            ],
        );
    }

    #[test]
    fn addresses() {
        sorted(
            StringFormat::Ipv4,
            &["0.0.0.0", "255.255.255.255", "192.168.0.1"],
            &["256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "0x7f.0.0.1", "1.2.3.4 ", "::1", ""],
        );
        sorted(
            StringFormat::Ipv6,
            &["::", "::1", "2001:db8::8a2e:370:7334", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8"],
            &["1:2:3:4:5:6:7", "1::2::3", "12345::", "::1%eth0", "[::1]", "1.2.3.4", ":1", ""],
        );
    }

    #[test]
    fn uris() {
        sorted(
            StringFormat::Uri,
            &[
                "http://foo.bar/?baz=qux#quuz",
                "http://user:pass@example.com:8042/over/there?name=ferret#nose",
                "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
                "mailto:John.Doe@example.com",
                "ldap://[2001:db8::7]/c=GB?objectClass?one",
                "file:///etc/hosts",
                "s3://bucket/key%20with%20blank",
                "a:",
                "http://[v1.a:b]/",
                "http://223.255.255.254:80",
            ],
            &[
                "",
                "//foo.bar/",
                "/abc",
                "abc",
                "1http://a",
                "http://a b",
                "http://a/%zz",
                "http://a/%2",
                "http://a/é",
                "http://[::1",
                "http://[1.2.3.4]/",
                "http://a:b/",
                "http://a/<x>",
                "http://a/#x#y",
                "ht tp://a",
                ":a",
                "http://a/[x]",
            ],
        );
    }

    #[test]
    fn uuids() {
        sorted(
            StringFormat::Uuid,
            &["01234567-89ab-cdef-0123-456789ABCDEF"],
            &["", "0123456789abcdef0123456789abcdef", "{01234567-89ab-cdef-0123-456789abcdef}"],
        );
    }

    #[test]
    fn base64_is_what_a_strict_decoder_takes() {
        sorted(
            StringFormat::Byte,
            &["", "Zg==", "Zm8=", "Zm9v", "+/+/"],
            &["Zg", "Zg=", "Zh==", "Zm9=", "Zm9v\n", "Zm-_", "====", "=", "Zg==Zg=="],
        );
        let mut random = Random::new(5);
        for _ in 0..50_000 {
            let text: Vec<u8> =
                (0..random.below(9)).map(|_| b"ABQgw/+09=\n-"[random.below(12)]).collect();
            let expected = STANDARD.decode(&text).is_ok();
            assert_eq!(is_base64(&text), expected, "{:?}", String::from_utf8_lossy(&text));
        }
    }
}
