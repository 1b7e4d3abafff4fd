//! Reads the PEM certificates that the HTTP client trusts.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::http_error::HttpError;
use super::input;

/// The longest file, in bytes. The largest bundles have some hundred kilobytes.
const LIMIT: usize = 8 * 1024 * 1024;

/// All certificates of `--ca-cert`. An error if one of them cannot be used.
pub(super) async fn all_of(path: &Path, deadline: Duration) -> Result<Vec<Certificate>, HttpError> {
    let all = read(path, deadline).await?.into_iter().collect::<Result<_, String>>();
    all.map_err(|reason| unusable(path, &reason))
}

/// The usable certificates of a bundle, at least one. A system's bundle may hold some that the TLS library refuses.
pub(super) async fn usable_of(path: &Path, deadline: Duration) -> Result<Vec<Certificate>, HttpError> {
    let usable: Vec<_> = read(path, deadline).await?.into_iter().flatten().collect();
    if usable.is_empty() {
        return Err(unusable(path, &"none of its certificates can be used"));
    }
    Ok(usable)
}

/// Each certificate of a file, at least one, or why it cannot be used.
async fn read(path: &Path, deadline: Duration) -> Result<Vec<Result<Certificate, String>>, HttpError> {
    // A pipe may have no writer.
    let pem = tokio::time::timeout(deadline, input::read(Some(path), LIMIT)).await;
    let pem = pem.map_err(|_| unusable(path, &format!("not read in {} s", deadline.as_secs_f32())))?;
    let pem = pem.map_err(|error| unusable(path, &error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"it holds no PEM certificate"));
    }
    Ok(certificates.iter().map(usable).collect())
}

fn usable(certificate: &CertificateDer<'static>) -> Result<Certificate, String> {
    // The client would check it later, but could not name the file.
    RootCertStore::empty().add(certificate.clone()).map_err(|error| error.to_string())?;
    Certificate::from_der(certificate).map_err(|error| error.to_string())
}

fn unusable(path: &Path, reason: &dyn Display) -> HttpError {
    HttpError::Certificates(path.to_owned(), reason.to_string())
}
