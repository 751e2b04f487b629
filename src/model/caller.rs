//! What of a credential stays the same from one request to the next.
//!
//! A signature differs on each request and an access token is renewed every few minutes; who calls does not change by that.
//! Taken are a signature's key name, a digest's user name, and the issuer, subject and client of a JSON Web Token; of all
//! other credentials the whole. Nothing is verified: it only has to be the same for the same caller.

use std::borrow::Cow;

/// The longest token payload that is looked into, in octets before decoding; real ones have some hundred.
const MAX_PAYLOAD: usize = 8 * 1024;

/// The claims that say whose token it is.
///
/// Source: RFC 7519 section 4.1, RFC 9068 section 2.2, `OpenID` Connect Core section 2 (`azp`).
const CLAIMS: [&str; 5] = ["iss", "sub", "client_id", "azp", "cid"];

/// The part of a credential that identifies its caller.
pub(super) fn stable_part(credential: &[u8]) -> Cow<'_, [u8]> {
    let credential = credential.trim_ascii();
    let text = std::str::from_utf8(credential).ok();
    let part = text.and_then(|text| {
        let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
        match &*scheme.to_ascii_lowercase() {
            "" | "bearer" | "jwt" | "token" => token_owner(rest.trim_ascii()),
            "digest" => parameters(rest, &["username", "realm"]),
            "oauth" => parameters(rest, &["oauth_consumer_key", "oauth_token"]),
            "hawk" => parameters(rest, &["id"]),
            "signature" => parameters(rest, &["keyid"]),
            // `AWS4-HMAC-SHA256 Credential=AKIA…/20261122/eu-west-1/s3/aws4_request, SignedHeaders=…, Signature=…`
            scheme if scheme.starts_with("aws4-") => {
                parameters(rest, &["credential"]).map(|key| key.split('/').next().unwrap_or_default().to_owned())
            }
            // `AWS key:signature`, `SharedKey account:signature`, `CPT key:signature`
            "aws" | "sharedkey" | "sharedkeylite" => rest.split_once(':').map(|(name, _)| name.to_owned()),
            _ => None,
        }
        .map(|owner| format!("{} {owner}", scheme.to_ascii_lowercase()))
    });
    part.map_or(Cow::Borrowed(credential), |part| Cow::Owned(part.into_bytes()))
}

/// The named parameters of a credential, `name="value"` or `name=value` between commas; `None` where there is none of them.
fn parameters(text: &str, names: &[&str]) -> Option<String> {
    let all = || text.split(',').filter_map(|part| part.trim_ascii().split_once('='));
    let value =
        |name: &&str| all().find(|(known, _)| known.trim_ascii().eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let values: Vec<&str> = names.iter().filter_map(value).map(|value| value.trim_ascii().trim_matches('"')).collect();
    (!values.is_empty()).then(|| values.join(" "))
}

/// The owner that a JSON Web Token names; `None` where it is no such token, or names none.
///
/// Source: RFC 7519 section 3, RFC 7515 section 7.1.
fn token_owner(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    if !token.starts_with("eyJ") || payload.len() > MAX_PAYLOAD {
        return None;
    }
    let claims: serde_json::Value = serde_json::from_slice(&base64url(payload.as_bytes())?).ok()?;
    let says_who = CLAIMS.iter().skip(1).any(|name| claims.get(name).is_some());
    let named = CLAIMS.iter().filter_map(|name| claims.get(name).map(|claim| format!("{name}={claim}")));
    says_who.then(|| named.collect::<Vec<_>>().join(" "))
}

/// Decodes Base64 with the alphabet that is safe in addresses, without padding.
///
/// Source: RFC 4648 section 5.
fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0u32, 0u32);
    for letter in text.iter().take_while(|letter| **letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(credential: &str) -> String {
        String::from_utf8(stable_part(credential.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn a_renewed_token_is_the_same_caller() {
        // {"iss":"octopus","sub":"client-7","exp":1700000000} and {"iss":"octopus","sub":"client-7","exp":1700000900}
        let first =
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJvY3RvcHVzIiwic3ViIjoiY2xpZW50LTciLCJleHAiOjE3MDAwMDAwMDB9.c2ln";
        let second =
            "bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJvY3RvcHVzIiwic3ViIjoiY2xpZW50LTciLCJleHAiOjE3MDAwMDA5MDB9.b3RoZXI";
        assert_eq!(part(first), "bearer iss=\"octopus\" sub=\"client-7\"");
        assert_eq!(part(first), part(second));
        // {"exp":1700000000} names nobody.
        let nobody = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.c2ln";
        assert_eq!(part(nobody), nobody);
    }

    #[test]
    fn a_signature_is_not_the_caller() {
        for (credential, wanted) in [
            (
                "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261122/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0a1b",
                "aws4-hmac-sha256 AKIAEXAMPLE",
            ),
            ("Digest username=\"jo\", realm=\"api\", nonce=\"1\", response=\"2\"", "digest jo api"),
            ("OAuth oauth_consumer_key=\"app\", oauth_nonce=\"n\", oauth_token=\"user\"", "oauth app user"),
            ("SharedKey account:c2lnbmF0dXJl", "sharedkey account"),
        ] {
            assert_eq!(part(credential), wanted);
        }
    }

    #[test]
    fn any_other_credential_counts_whole() {
        for credential in [
            "sk_live_1",
            "Bearer sk_live_1",
            "Basic am86c2VjcmV0",
            "Bearer a.b.c",
            "eyJ.%.x",
            "",
            "Token x",
            "Digest",
            "AWS4-X y",
        ] {
            assert_eq!(part(credential), credential);
        }
        assert_eq!(&*stable_part(b" \xff\xfe "), b"\xff\xfe");
    }
}
