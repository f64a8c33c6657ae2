//! Whether the one who sends a token is the one that it was given to (RFC 7800, RFC 8705 section 3).

use std::borrow::Cow;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use drawbridge_verify::{Confirmation, Verified};
use rustls_pki_types::pem::{PemObject, SectionKind};
use thiserror::Error;

/// Why a token is not its sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum SenderRefused {
    #[error("the token is bound to something other than a client certificate")]
    Unsupported,
    #[error("the token is bound to nobody")]
    Unbound,
    #[error("no client certificate was seen")]
    NoCertificate,
    #[error("the client certificate is not one certificate in PEM or DER")]
    Malformed,
    #[error("the client certificate is another one")]
    Mismatch,
}

/// Checks `cnf`. A token without one is a bearer token, whoever sends it, and refused where tokens `must_be_bound`; one that cannot be
/// checked is refused.
pub(crate) fn check(
    claims: &Verified<'_>,
    certificate: Option<&[u8]>,
    must_be_bound: bool,
) -> Result<(), SenderRefused> {
    match claims.confirmation() {
        None if must_be_bound => Err(SenderRefused::Unbound),
        None => Ok(()),
        Some(Confirmation::CertificateThumbprint(bound)) => holds(bound, certificate),
        Some(_) => Err(SenderRefused::Unsupported),
    }
}

/// Compares texts, not bytes: the thumbprint of a certificate has one spelling, and any other is another thumbprint.
fn holds(bound: &str, certificate: Option<&[u8]>) -> Result<(), SenderRefused> {
    let certificate = certificate.ok_or(SenderRefused::NoCertificate)?;
    let der = der(certificate).ok_or(SenderRefused::Malformed)?;
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &der));
    verify_slices_are_equal(thumbprint.as_bytes(), bound.as_bytes()).map_err(|_| SenderRefused::Mismatch)
}

/// The one certificate of a gateway's TLS layer: PEM as API Gateway has it, base64 of DER as App Service has it, or DER. None for
/// anything else, for more than one, and beyond the bound.
fn der(certificate: &[u8]) -> Option<Cow<'_, [u8]>> {
    if certificate.len() > MAX_BYTES {
        return None;
    }
    let der = match certificate.first()? {
        &SEQUENCE => Cow::Borrowed(certificate),
        b'-' => Cow::Owned(from_pem(certificate)?),
        _ => Cow::Owned(STANDARD.decode(certificate).ok()?),
    };
    is_one_sequence(&der).then_some(der)
}

/// One section, and nothing around it: what else there is might be what somebody wants to be taken for.
fn from_pem(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    if !text.starts_with(b"-----BEGIN CERTIFICATE-----") || !text.ends_with(b"-----END CERTIFICATE-----") {
        return None;
    }
    let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(text);
    match (sections.next(), sections.next()) {
        (Some(Ok((SectionKind::Certificate, der))), None) => Some(der),
        _ => None,
    }
}

/// A certificate is one DER `SEQUENCE` from the first byte to the last; of 128 bytes or more, as any certificate is.
fn is_one_sequence(der: &[u8]) -> bool {
    let length = match der {
        [SEQUENCE, 0x81, length, ..] => 3 + usize::from(*length),
        [SEQUENCE, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => return false,
    };
    length == der.len()
}

const SEQUENCE: u8 = 0x30;

/// The longest certificate that is looked at, in bytes as it came: an ordinary one has 1 to 2 KiB, its PEM a third more.
const MAX_BYTES: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use rcgen::{Certificate, CertificateParams, KeyPair};

    use super::*;

    static OURS: LazyLock<Certificate> = LazyLock::new(|| certificate("ada"));
    static OTHER: LazyLock<Certificate> = LazyLock::new(|| certificate("eve"));

    fn certificate(name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap()
    }

    fn thumbprint(certificate: &Certificate) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der()))
    }

    /// The certificate in every form that a gateway has it in.
    fn forms(certificate: &Certificate) -> [Vec<u8>; 5] {
        let pem = certificate.pem();
        [
            certificate.der().to_vec(),
            STANDARD.encode(certificate.der()).into_bytes(),
            pem.replace("\r\n", "\n").into_bytes(),
            pem.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes(),
            pem.trim_end().as_bytes().to_vec(),
        ]
    }

    #[test]
    fn the_certificate_that_the_token_is_bound_to_passes_in_every_form_and_another_in_none() {
        for form in forms(&OURS) {
            assert_eq!(holds(&thumbprint(&OURS), Some(&form)), Ok(()));
            assert_eq!(holds(&thumbprint(&OTHER), Some(&form)), Err(SenderRefused::Mismatch));
        }
        assert_eq!(holds(&thumbprint(&OURS), None), Err(SenderRefused::NoCertificate));
    }

    #[test]
    fn what_is_not_one_certificate_is_refused_whatever_is_in_it() {
        let (pem, der) = (OURS.pem(), OURS.der().to_vec());
        let key = pem.replace("CERTIFICATE", "PRIVATE KEY");
        let long = format!("{pem}{}", "\n".repeat(MAX_BYTES));
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("nothing", Vec::new()),
            ("white space", b" \n".to_vec()),
            ("text", b"CN=ada".to_vec()),
            ("a chain", format!("{pem}{}", OTHER.pem()).into_bytes()),
            ("the same twice", format!("{pem}{pem}").into_bytes()),
            ("another kind of section", key.clone().into_bytes()),
            ("a key behind it", format!("{pem}{key}").into_bytes()),
            ("text before it", format!("subject: ada\n{pem}").into_bytes()),
            ("text behind it", format!("{pem}subject: ada").into_bytes()),
            ("no end", pem.replace("-----END CERTIFICATE-----", "").into_bytes()),
            ("an empty section", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----".to_vec()),
            ("percent-encoded", pem.replace('\n', "%0A").into_bytes()),
            ("a byte too many", [der.as_slice(), b"\0"].concat()),
            ("a byte too few", der[..der.len() - 1].to_vec()),
            ("two certificates in DER", [der.as_slice(), &der].concat()),
            (
                "base64 of another alphabet",
                URL_SAFE_NO_PAD.encode([&der[..], &[0xff; 3]].concat()).into_bytes(),
            ),
            ("two values in base64", format!("{0},{0}", STANDARD.encode(&der)).into_bytes()),
            ("longer than the bound", long.into_bytes()),
        ];
        for (what, certificate) in cases {
            let held = holds(&thumbprint(&OURS), Some(&certificate));
            assert_eq!(held, Err(SenderRefused::Malformed), "{what}");
        }
    }

    #[test]
    fn a_thumbprint_has_one_spelling() {
        let right = thumbprint(&OURS);
        let hex: String =
            digest(&SHA256, OURS.der()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        for other in [
            String::new(),
            format!("{right}="),
            format!(" {right}"),
            right.split_at(42).0.to_owned(),
            right.to_ascii_lowercase(),
            STANDARD.encode(digest(&SHA256, OURS.der())),
            hex,
        ] {
            assert_eq!(holds(&other, Some(OURS.der())), Err(SenderRefused::Mismatch), "{other}");
        }
    }

    proptest! {
        #[test]
        fn only_the_right_certificate_passes(place in any::<prop::sample::Index>(), bit in 0_u8..8, form in 0_usize..5) {
            let mut certificate = forms(&OURS)[form].clone();
            let place = place.index(certificate.len());
            certificate[place] ^= 1 << bit;
            // White space is all that may differ and be the same certificate.
            let same = der(&certificate).is_some_and(|der| *der == **OURS.der());
            prop_assert_eq!(holds(&thumbprint(&OURS), Some(&certificate)).is_ok(), same);
            prop_assert!(form > 1 || !same);
        }

        #[test]
        fn no_bytes_pass_or_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(holds(&thumbprint(&OURS), Some(&bytes)).is_err());
        }

        #[test]
        fn no_other_thumbprint_passes(bound in "[A-Za-z0-9_-]{43}") {
            prop_assert_eq!(holds(&bound, Some(OURS.der())).is_ok(), bound == thumbprint(&OURS));
        }
    }
}
