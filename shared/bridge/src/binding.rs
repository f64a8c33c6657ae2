use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{
    CertificateDer,
    pem::{self, PemObject},
};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::Instant;

/// The client certificate that the edge shows the gateway of a backend: what the backend's tokens are bound to.
pub(crate) struct Binding {
    file: PathBuf,
    kept: Mutex<Kept>,
}

/// A certificate that no token can be bound to.
#[derive(Debug, Error)]
pub(crate) enum BindingError {
    #[error("`{0}` cannot be read: {1}")]
    Read(PathBuf, io::Error),
    #[error("`{0}` holds no certificate in PEM: {1}")]
    Pem(PathBuf, pem::Error),
}

struct Kept {
    thumbprint: String,
    read: Instant,
}

impl Binding {
    /// # Errors
    /// [`BindingError`].
    pub(crate) fn open(file: &Path) -> Result<Self, BindingError> {
        let kept = Kept { thumbprint: thumbprint(file)?, read: Instant::now() };
        Ok(Self { file: file.to_owned(), kept: Mutex::new(kept) })
    }

    /// `cnf` (RFC 8705 section 3.1). The file is read anew every few seconds, so that a renewed certificate is picked up; while it
    /// cannot be read the last one stands: a token that is bound to a wrong certificate opens nothing.
    pub(crate) fn confirmation(&self) -> Value {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.read.elapsed() >= REFRESH {
            kept.read = Instant::now();
            if let Ok(thumbprint) = thumbprint(&self.file) {
                kept.thumbprint = thumbprint;
            }
        }
        json!({ "x5t#S256": kept.thumbprint })
    }
}

/// Of the first certificate in the file: the leaf stands before its chain (RFC 8446 section 4.4.2).
fn thumbprint(file: &Path) -> Result<String, BindingError> {
    let text = fs::read(file).map_err(|error| BindingError::Read(file.to_owned(), error))?;
    let certificate =
        CertificateDer::from_pem_slice(&text).map_err(|error| BindingError::Pem(file.to_owned(), error))?;
    Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)))
}

/// How long a certificate is used before its file is read again; its text is a few KiB.
const REFRESH: Duration = Duration::from_secs(10);
