//! Files of PEM certificates, for the HTTP client's trust.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::http_error::HttpError;
use super::input;

/// How much of a file is read. The largest bundles have some hundred kilobytes.
const LIMIT: usize = 8 * 1024 * 1024;

/// All certificates of a file that somebody named for this: one that cannot be used is a mistake.
///
/// # Errors
/// [`HttpError::Certificates`].
pub(super) async fn all_of(path: &Path, deadline: Duration) -> Result<Vec<Certificate>, HttpError> {
    read(path, deadline)
        .await?
        .iter()
        .map(|certificate| usable(certificate).map_err(|reason| unusable(path, &reason)))
        .collect()
}

/// The certificates of a bundle that can be used. A system's bundle may hold one that this TLS library does not take.
///
/// # Errors
/// [`HttpError::Certificates`] where it holds none.
pub(super) async fn usable_of(path: &Path, deadline: Duration) -> Result<Vec<Certificate>, HttpError> {
    let certificates: Vec<_> =
        read(path, deadline).await?.iter().filter_map(|certificate| usable(certificate).ok()).collect();
    if certificates.is_empty() {
        return Err(unusable(path, &"none of its certificates can be used"));
    }
    Ok(certificates)
}

async fn read(path: &Path, deadline: Duration) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    // It may be a pipe that nobody writes to.
    let pem = tokio::time::timeout(deadline, input::read(Some(path), LIMIT)).await;
    let pem = pem.map_err(|_| unusable(path, &format!("not read in {} s", deadline.as_secs_f32())))?;
    let pem = pem.map_err(|error| unusable(path, &error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"it holds no PEM certificate"));
    }
    Ok(certificates)
}

fn usable(certificate: &CertificateDer<'static>) -> Result<Certificate, String> {
    // The client would look into it only when it is built, and could then not say whose it is.
    RootCertStore::empty().add(certificate.clone()).map_err(|error| error.to_string())?;
    Certificate::from_der(certificate).map_err(|error| error.to_string())
}

fn unusable(path: &Path, reason: &dyn Display) -> HttpError {
    HttpError::Certificates { path: path.to_owned(), reason: reason.to_string() }
}
