//! Says in a sentence why TLS failed. The library's own texts are names of its types.

use jiff::Timestamp;
use rustls::CertificateError as Certificate;
use rustls::pki_types::UnixTime;
use rustls::{Error, OtherError};

/// Why TLS failed.
pub(super) fn sentence(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(reason) => of_certificate(reason),
        Error::AlertReceived(alert) => {
            format!("the server refused the TLS connection: {}", spaced(&format!("{alert:?}")))
        }
        other => spaced(&other.to_string()),
    }
}

fn of_certificate(reason: &Certificate) -> String {
    let text = match reason {
        Certificate::Expired => "has expired".to_owned(),
        Certificate::ExpiredContext { not_after, .. } => format!("expired at {}", time(*not_after)),
        Certificate::NotValidYet => "is not valid yet".to_owned(),
        Certificate::NotValidYetContext { not_before, .. } => {
            format!("is not valid before {}", time(*not_before))
        }
        Certificate::UnknownIssuer => "is not signed by a CA that this machine trusts".to_owned(),
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
            "is for another host name".to_owned()
        }
        Certificate::Revoked => "was revoked".to_owned(),
        Certificate::BadEncoding => "cannot be read".to_owned(),
        Certificate::BadSignature => "has a wrong signature".to_owned(),
        // webpki's, or the system's own text.
        Certificate::Other(OtherError(error)) => match error.to_string().as_str() {
            "CaUsedAsEndEntity" => "is a CA certificate; to trust that CA: --ca-cert FILE".to_owned(),
            other => format!("cannot be used: {}", spaced(other)),
        },
        other => format!("cannot be used: {}", spaced(&other.to_string())),
    };
    format!("the server's certificate {text}")
}

fn time(at: UnixTime) -> String {
    let at = i64::try_from(at.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string())
}

/// `UnsupportedCertVersion` as `unsupported cert version`. Other words stay as they are.
fn spaced(text: &str) -> String {
    let word = |word: &str| {
        let is_name = word.contains(|c: char| c.is_ascii_lowercase())
            && word.chars().skip(1).any(|c| c.is_ascii_uppercase());
        if !is_name {
            return word.to_owned();
        }
        let mut spaced = String::new();
        for c in word.chars() {
            if c.is_ascii_uppercase() && !spaced.is_empty() {
                spaced.push(' ');
            }
            spaced.push(c.to_ascii_lowercase());
        }
        spaced
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::{AlertDescription, PeerIncompatible};

    use super::*;

    #[test]
    fn no_text_is_a_name_of_the_library() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let ca = Certificate::Other(OtherError(Arc::new(std::io::Error::other("CaUsedAsEndEntity"))));
        let table = [
            (Certificate::Expired, "has expired"),
            (
                Certificate::ExpiredContext { time: at(2), not_after: at(1) },
                "expired at 1970-01-01T00:00:01Z",
            ),
            (Certificate::NotValidYet, "is not valid yet"),
            (Certificate::UnknownIssuer, "is not signed by a CA that this machine trusts"),
            (Certificate::NotValidForName, "is for another host name"),
            (ca, "is a CA certificate; to trust that CA: --ca-cert FILE"),
            (Certificate::UnhandledCriticalExtension, "cannot be used: unhandled critical extension"),
        ];
        for (reason, text) in table {
            let said = sentence(&Error::InvalidCertificate(reason));
            assert_eq!(said, format!("the server's certificate {text}"));
        }
        let alert = sentence(&Error::AlertReceived(AlertDescription::HandshakeFailure));
        assert_eq!(alert, "the server refused the TLS connection: handshake failure");
        let none = Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon);
        assert_eq!(sentence(&none), "peer is incompatible: no cipher suites in common");
    }
}
