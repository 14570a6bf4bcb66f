//! Key-pair authentication: the token Snowflake accepts.
//!
//! <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating#using-key-pair-authentication>

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;

/// Snowflake takes an hour at most. Less, so that a clock that is a little ahead does not
/// make the token outlive its hour.
const TOKEN_SECONDS: i64 = 55 * 60;

/// `AlgorithmIdentifier { rsaEncryption, NULL }` (RFC 3279, section 2.3.1).
const RSA_ENCRYPTION: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// An RSA key pair and the fingerprint Snowflake knows it by.
#[derive(Debug)]
pub struct KeyPair {
    pair: RsaKeyPair,
    fingerprint: String,
}

impl KeyPair {
    /// Reads an unencrypted PKCS#8 key in PEM.
    ///
    /// # Errors
    /// What is wrong with it, without a word of the key.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        if pem.contains("ENCRYPTED") {
            return Err("privateKey is encrypted".to_owned());
        }
        if pem.contains("BEGIN RSA PRIVATE KEY") {
            return Err(
                "privateKey is PKCS#1; convert it with `openssl pkcs8 -topk8 -nocrypt`".to_owned()
            );
        }
        let (_, after) = pem
            .split_once("-----BEGIN PRIVATE KEY-----")
            .ok_or("privateKey has no BEGIN PRIVATE KEY line")?;
        let (base64, _) = after
            .split_once("-----END PRIVATE KEY-----")
            .ok_or("privateKey has no END PRIVATE KEY line")?;
        // A key pasted into a form may have spaces, or nothing, where it had line breaks.
        let base64: String = base64.split_whitespace().collect();
        let der = STANDARD.decode(base64).map_err(|_| "privateKey is not base64".to_owned())?;
        let pair = RsaKeyPair::from_pkcs8(&der)
            .map_err(|rejected| format!("privateKey is not usable: {rejected}"))?;
        let spki = subject_public_key_info(pair.public().as_ref());
        Ok(Self { pair, fingerprint: STANDARD.encode(digest(&SHA256, &spki)) })
    }

    /// Base64 of the SHA-256 of the public key's SubjectPublicKeyInfo: what Snowflake shows
    /// as `RSA_PUBLIC_KEY_FP` after `SHA256:`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A token for the user, signed at a time in seconds since the epoch.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn token(&self, account: &str, user: &str, now: i64) -> Result<String, String> {
        let subject = format!("{}.{}", token_account(account), user.to_uppercase());
        let header = json!({ "alg": "RS256", "typ": "JWT" });
        let claims = json!({
            "iss": format!("{subject}.SHA256:{}", self.fingerprint),
            "sub": subject,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| "privateKey cannot sign".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The account as a token names it: upper case, without the region of an account locator
/// (`xy12345.eu-central-1` is `XY12345`), and for a `.global` address without what follows
/// the first hyphen.
fn token_account(account: &str) -> String {
    let name = if account.contains(".global") {
        account.split('-').next()
    } else {
        account.split('.').next()
    };
    name.unwrap_or(account).to_uppercase()
}

/// Wraps a PKCS#1 `RSAPublicKey` as the SubjectPublicKeyInfo that the fingerprint is taken
/// over (RFC 5280, section 4.1).
fn subject_public_key_info(rsa_public_key: &[u8]) -> Vec<u8> {
    // The first octet of a BIT STRING counts its unused bits.
    let bits = der(BIT_STRING, &[&[0], rsa_public_key].concat());
    der(SEQUENCE, &[&RSA_ENCRYPTION[..], &bits].concat())
}

/// One DER element with a definite length (X.690, section 8.1.3).
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => element.push(short),
        _ => {
            let length = contents.len().to_be_bytes();
            let octets: Vec<u8> = length.into_iter().skip_while(|octet| *octet == 0).collect();
            // A length has at most eight octets.
            element.push(0x80 | octets.len() as u8);
            element.extend(octets);
        }
    }
    element.extend_from_slice(contents);
    element
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use landfall_testing::snowflake::PublicKey;
    use landfall_testing::{TEST_KEY_FINGERPRINT, TEST_PRIVATE_KEY, TEST_PUBLIC_KEY};

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn the_fingerprint_is_what_openssl_computes() {
        assert_eq!(
            KeyPair::from_pem(TEST_PRIVATE_KEY).unwrap().fingerprint(),
            TEST_KEY_FINGERPRINT
        );
    }

    #[test]
    fn the_public_key_info_is_what_openssl_writes() {
        let base64: String =
            TEST_PUBLIC_KEY.lines().filter(|line| !line.starts_with("-----")).collect();
        let expected = STANDARD.decode(base64).unwrap();
        let pair = KeyPair::from_pem(TEST_PRIVATE_KEY).unwrap().pair;
        assert_eq!(subject_public_key_info(pair.public().as_ref()), expected);
    }

    #[test]
    fn lengths_are_written_as_short_as_they_can_be() {
        assert_eq!(der(SEQUENCE, &[7; 0x7f])[..2], [0x30, 0x7f]);
        assert_eq!(der(SEQUENCE, &[7; 0x80])[..3], [0x30, 0x81, 0x80]);
        assert_eq!(der(SEQUENCE, &[7; 0x100])[..4], [0x30, 0x82, 0x01, 0x00]);
        assert_eq!(der(SEQUENCE, &[]), [0x30, 0x00]);
    }

    #[test]
    fn snowflake_accepts_the_token_for_an_hour_at_most() {
        let token = KeyPair::from_pem(TEST_PRIVATE_KEY)
            .unwrap()
            .token("org-account", "loader", NOW)
            .unwrap();
        let key = PublicKey::from_pem(TEST_PUBLIC_KEY).unwrap();
        assert_eq!(key.check(&token, NOW), Ok("ORG-ACCOUNT.LOADER".into()));
        assert!(key.check(&token, NOW + TOKEN_SECONDS - 1).is_ok());
        assert!(key.check(&token, NOW + TOKEN_SECONDS).is_err());
    }

    #[test]
    fn accounts_are_named_as_snowflake_names_them() {
        assert_eq!(token_account("myorg-my_account"), "MYORG-MY_ACCOUNT");
        assert_eq!(token_account("xy12345"), "XY12345");
        assert_eq!(token_account("xy12345.eu-central-1.aws"), "XY12345");
        assert_eq!(token_account("xy12345-8cjdf.global"), "XY12345");
    }

    #[test]
    fn a_key_without_line_breaks_is_read() {
        let one_line = TEST_PRIVATE_KEY.replace('\n', " ");
        assert_eq!(KeyPair::from_pem(&one_line).unwrap().fingerprint(), TEST_KEY_FINGERPRINT);
    }

    #[test]
    fn an_unusable_key_is_named_without_its_contents() {
        let secret = "c2VjcmV0";
        for (pem, reason) in [
            ("BEGIN ENCRYPTED PRIVATE KEY c2VjcmV0", "encrypted"),
            ("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0", "PKCS#1"),
            ("c2VjcmV0", "no BEGIN"),
            ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0", "no END"),
            ("-----BEGIN PRIVATE KEY-----\n**\n-----END PRIVATE KEY-----", "base64"),
            ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "not usable"),
        ] {
            let error = KeyPair::from_pem(pem).unwrap_err();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains(secret), "{error}");
        }
    }
}
