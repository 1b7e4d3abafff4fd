//! The files of a folder, for a page that `serve --dev` shows.

use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};

use url::Url;

use crate::domain::gateway::refusal::Refusal;
use crate::edge::input;

/// The largest file, in bytes.
const LARGEST: usize = 32 * 1024 * 1024;

/// What browsers need to know about a file, by its extension.
const KINDS: [(&str, &str); 10] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("wav", "audio/wav"),
    ("woff2", "font/woff2"),
    ("map", "application/json"),
];

/// A page has no other sources than this server, and connects to nothing else but Corti.
const POLICY: &str = "default-src 'self'; connect-src 'self' wss://*.corti.app https://*.corti.app ws://127.0.0.1:* \
     http://127.0.0.1:*; media-src 'self' blob:; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A refusal in words.
pub(super) fn refused(refusal: &Refusal, address: &Url) -> Response {
    let status = StatusCode::from_u16(refusal.code.1).unwrap_or(StatusCode::FORBIDDEN);
    (status, format!("{refusal}; this page is at {address}\n")).into_response()
}

/// A folder of files.
pub(crate) struct Page(PathBuf);

impl Page {
    /// `folder`, which must exist.
    pub(crate) fn new(folder: &Path) -> std::io::Result<Self> {
        let folder = folder.canonicalize()?;
        if folder.is_dir() { Ok(Self(folder)) } else { Err(std::io::ErrorKind::NotADirectory.into()) }
    }

    /// The file at `path`: nothing that begins with a dot, and no link that leads out of the folder.
    pub(super) async fn answer(&self, path: &str) -> Response {
        let name = path.trim_start_matches('/');
        let name = if name.is_empty() || name.ends_with('/') {
            format!("{name}index.html")
        } else {
            name.to_owned()
        };
        let kind = name
            .rsplit_once('.')
            .and_then(|(_, extension)| KINDS.iter().find(|(known, _)| *known == extension));
        // Without links: what it is really called.
        let file = self.0.join(&name).canonicalize().ok().filter(|file| {
            let is_plain = |part: Component<'_>| !part.as_os_str().as_encoded_bytes().starts_with(b".");
            file.strip_prefix(&self.0).is_ok_and(|rest| rest.components().all(is_plain))
        });
        let bytes = match file.filter(|file| file.is_file()) {
            Some(file) => input::read_bytes(Some(&file), LARGEST).await.ok(),
            None => None,
        };
        let (Some(bytes), Some((_, kind))) = (bytes, kind) else {
            return (StatusCode::NOT_FOUND, "no such file\n").into_response();
        };
        let headers = [
            (CONTENT_TYPE, *kind),
            (CACHE_CONTROL, "no-cache"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, POLICY),
        ];
        (headers, Body::from(bytes.to_vec())).into_response()
    }
}
