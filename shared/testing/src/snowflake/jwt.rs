//! Key-pair tokens, as Snowflake checks them.
//!
//! <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating>

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

/// A token lives an hour at most, whatever its `exp` says.
const LONGEST_LIFE_SECONDS: i64 = 3600;
/// Clocks differ a little.
const LEEWAY_SECONDS: i64 = 60;

/// The public half of a user's key pair.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// PKCS#1 `RSAPublicKey`, which is what the signature is checked with.
    pkcs1: Vec<u8>,
    /// Base64 of the SHA-256 of the whole SubjectPublicKeyInfo.
    fingerprint: String,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in PEM (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// When the text is not that, in words.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64.trim()).map_err(|error| error.to_string())?;
        // SubjectPublicKeyInfo ::= SEQUENCE { AlgorithmIdentifier, BIT STRING }, RFC 5280.
        let outer = element(&der, 0x30)?.0;
        let after_algorithm = element(outer, 0x30)?.1;
        let bits = element(after_algorithm, 0x03)?.0;
        let pkcs1 = bits.strip_prefix(&[0]).ok_or("the bit string has unused bits")?.to_vec();
        Ok(Self { pkcs1, fingerprint: STANDARD.encode(digest(&SHA256, &der)) })
    }

    /// Base64 of the SHA-256 of the key's DER.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Checks a token at a time in seconds since the epoch, and gives `ACCOUNT.USER`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self, token: &str, now: i64) -> Result<String, String> {
        let (signed, signature) = token.rsplit_once('.').ok_or("the token has no signature")?;
        let (header, claims) = signed.split_once('.').ok_or("the token has no claims")?;
        let header: Header = part(header)?;
        if header.alg != "RS256" {
            return Err(format!("alg is {}, not RS256", header.alg));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|error| error.to_string())?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.pkcs1)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| "the signature is not by this user's key".to_owned())?;

        let claims: Claims = part(claims)?;
        let mut names = claims.sub.splitn(2, '.');
        let named = names.next().is_some_and(|account| !account.is_empty())
            && names.next().is_some_and(|user| !user.is_empty());
        if !named || claims.sub != claims.sub.to_uppercase() {
            return Err(format!("sub is {}, not ACCOUNT.USER in upper case", claims.sub));
        }
        let issuer = format!("{}.SHA256:{}", claims.sub, self.fingerprint);
        if claims.iss != issuer {
            return Err(format!("iss is {}, not {issuer}", claims.iss));
        }
        if claims.iat > now + LEEWAY_SECONDS {
            return Err("iat is in the future".to_owned());
        }
        if claims.exp <= now || now - claims.iat >= LONGEST_LIFE_SECONDS {
            return Err("the token has expired".to_owned());
        }
        if claims.exp - claims.iat > LONGEST_LIFE_SECONDS {
            return Err("exp is more than an hour after iat".to_owned());
        }
        Ok(claims.sub)
    }
}

fn part<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, String> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

/// Contents of the first DER element, which must have this tag, and what comes after it.
fn element(der: &[u8], tag: u8) -> Result<(&[u8], &[u8]), String> {
    let cut_off = || "the key's DER is cut off".to_owned();
    let (&[found, first], rest) = der.split_first_chunk::<2>().ok_or_else(cut_off)?;
    if found != tag {
        return Err(format!("DER tag {found:#04x} where {tag:#04x} should be"));
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let octets = usize::from(first & 0x7f);
        if octets > 4 {
            return Err("a DER length is too large".to_owned());
        }
        let (octets, rest) = rest.split_at_checked(octets).ok_or_else(cut_off)?;
        (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
    };
    rest.split_at_checked(length).ok_or_else(cut_off)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;

    fn key() -> PublicKey {
        PublicKey::from_pem(crate::TEST_PUBLIC_KEY).unwrap()
    }

    fn signed(header: &Value, claims: &Value) -> String {
        let pem = crate::TEST_PRIVATE_KEY;
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap();
        let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn claims(changes: Value) -> Value {
        let mut claims = json!({
            "iss": format!("ORG-ACCOUNT.LOADER.SHA256:{}", crate::TEST_KEY_FINGERPRINT),
            "sub": "ORG-ACCOUNT.LOADER",
            "iat": NOW,
            "exp": NOW + 3600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn check(changes: Value) -> Result<String, String> {
        key().check(&signed(&json!({"alg": "RS256", "typ": "JWT"}), &claims(changes)), NOW)
    }

    #[test]
    fn the_fingerprint_is_what_openssl_computes() {
        assert_eq!(key().fingerprint(), crate::TEST_KEY_FINGERPRINT);
    }

    #[test]
    fn a_good_token_names_account_and_user() {
        assert_eq!(check(json!({})), Ok("ORG-ACCOUNT.LOADER".into()));
    }

    #[test]
    fn every_claim_is_checked() {
        for (changes, reason) in [
            (json!({"sub": "org-account.loader"}), "upper case"),
            (json!({"sub": "LOADER"}), "ACCOUNT.USER"),
            (json!({"iss": "ORG-ACCOUNT.LOADER.SHA256:AAAA"}), "iss is"),
            (json!({"iat": NOW + 120}), "future"),
            (json!({"exp": NOW}), "expired"),
            (json!({"iat": NOW - 3600, "exp": NOW + 60}), "expired"),
            (json!({"exp": NOW + 3601}), "more than an hour"),
        ] {
            let error = check(changes.clone()).unwrap_err();
            assert!(error.contains(reason), "{changes}: {error}");
        }
    }

    #[test]
    fn the_signature_and_the_algorithm_are_checked() {
        let token = signed(&json!({"alg": "RS256"}), &claims(json!({})));
        let (signed_part, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{signed_part}.{}", URL_SAFE_NO_PAD.encode([7_u8; 256]));
        assert!(key().check(&forged, NOW).unwrap_err().contains("signature"));
        let none = signed(&json!({"alg": "none"}), &claims(json!({})));
        assert!(key().check(&none, NOW).unwrap_err().contains("RS256"));
        assert!(key().check("nonsense", NOW).is_err());
    }

    #[test]
    fn a_file_that_is_not_a_public_key_is_refused() {
        assert!(PublicKey::from_pem(crate::TEST_PRIVATE_KEY).is_err());
        assert!(PublicKey::from_pem("").is_err());
    }
}
