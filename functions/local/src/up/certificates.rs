//! The certificates of `up --mtls`.

use drawbridge_config::Config;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::state::State;
use crate::{
    exit::Failure,
    idp::CLIENTS,
    tls::{Certificates, EDGE, SERVER},
};

/// Whether this configuration is one of mutual TLS by itself.
pub(super) fn wanted(config: &Config) -> bool {
    config.backends.values().any(|backend| backend.bound_to.is_some())
}

/// Makes an authority and the certificates that it signs: the gateways' and the edge's, and one for each client of the identity
/// provider.
///
/// They are made anew at every start, and the authority's key is never written, so that nobody who trusts the authority for an
/// afternoon trusts more than these.
///
/// # Errors
/// When they cannot be made or written.
pub(super) fn make(state: &State) -> Result<Certificates, Failure> {
    let certificates = Certificates::new(state.folder().join("tls"));
    let made = signed().map_err(|error| Failure::new(format!("no certificates can be made: {error}")))?;
    for (name, text) in made {
        state.write(&format!("tls/{name}"), text.as_bytes())?;
    }
    Ok(certificates)
}

/// File names and PEM.
fn signed() -> Result<Vec<(String, String)>, rcgen::Error> {
    let mut authority = params("Drawbridge development authority", Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut files = vec![("ca.pem".to_owned(), authority.pem())];
    let clients = CLIENTS.iter().map(|client| client.id).chain([EDGE]);
    let clients = clients.map(|name| (name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth));
    let addresses = ["127.0.0.1", "::1", "localhost"].map(str::to_owned).to_vec();
    let server = (SERVER, addresses, ExtendedKeyUsagePurpose::ServerAuth);
    for (name, addresses, purpose) in clients.chain([server]) {
        let mut leaf = params(name, addresses)?;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![purpose];
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        files.push((format!("{name}.pem"), leaf.signed_by(&key, &authority)?.pem()));
        files.push((format!("{name}.key"), key.serialize_pem()));
    }
    Ok(files)
}

/// A certificate of three months, from yesterday on: a clock may be slow.
fn params(name: &str, addresses: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let day = |date: jiff::civil::Date| {
        // Months and days are small and positive.
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let mut params = CertificateParams::new(addresses)?;
    params.not_before = day(today.saturating_sub(1.day()));
    params.not_after = day(today.saturating_add(90.days()));
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
