use std::mem::MaybeUninit;

use crate::{
    Algorithm, TokenError, base64,
    json::{Bounds, Value},
};

/// What is read of a JOSE header; everything else in it is either refused or without meaning here.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) typ: Option<String>,
    pub(crate) kid: Option<String>,
}

impl Header {
    /// Parses the header segment of a compact JWS.
    pub(crate) fn parse(segment: &str) -> Result<Self, TokenError> {
        let mut buffer = [MaybeUninit::uninit(); MAX_BYTES];
        let header = parse(segment, &mut buffer)?;
        refuse(&header, &REFUSED)?;
        let (algorithm, typ, kid) = (text(&header, "alg")?, text(&header, "typ")?, text(&header, "kid")?);
        let algorithm = algorithm.ok_or(TokenError::Malformed("the header has no alg"))?;
        Ok(Self {
            algorithm: algorithm.parse().map_err(|()| TokenError::AlgorithmNotAllowed)?,
            typ: typ.map(str::to_owned),
            kid: kid.map(str::to_owned),
        })
    }
}

/// Decodes a header segment into `buffer` and parses it as a strict JSON object.
pub(crate) fn parse<'b>(
    segment: &str,
    buffer: &'b mut [MaybeUninit<u8>; MAX_BYTES],
) -> Result<Value<'b>, TokenError> {
    // A segment that is too long would not fit; it is told apart from bad base64url for the log's sake.
    if segment.len() > MAX_BYTES.div_ceil(3) * 4 {
        return Err(TokenError::Malformed("the header is longer than allowed"));
    }
    let json =
        base64::decode_to(segment, buffer).ok_or(TokenError::Malformed("the header is not base64url"))?;
    match Value::parse(json, BOUNDS) {
        Ok(header @ Value::Object(_)) => Ok(header),
        _ => Err(TokenError::Malformed("the header is not a strict JSON object")),
    }
}

/// Refuses a header that has any of these members, whatever their value.
pub(crate) fn refuse(header: &Value<'_>, names: &[&'static str]) -> Result<(), TokenError> {
    let Value::Object(members) = header else {
        return Err(TokenError::Malformed("the header is not an object"));
    };
    let refused = members.iter().find_map(|(member, _)| names.iter().find(|name| *name == member));
    refused.map_or(Ok(()), |name| Err(TokenError::HeaderRefused(name)))
}

/// The text of a member; anything but a string is an error.
pub(crate) fn text<'v>(header: &'v Value<'_>, name: &str) -> Result<Option<&'v str>, TokenError> {
    match header.member(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Malformed("a header member is not a string")),
    }
}

/// The longest header, in bytes of JSON. Ours have under 100; x5t members of others add under 200.
pub(crate) const MAX_BYTES: usize = 2048;

const BOUNDS: Bounds = Bounds { depth: 4, values: 64 };

/// Members that could move the choice of key or meaning of the payload from the verifier to the token's author:
/// embedded and remote keys (RFC 8725 section 3.10), extensions that must be understood (RFC 7515 section 4.1.11), the
/// unencoded payload (RFC 7797), and what only belongs to an encrypted token (RFC 7516 section 4.1, RFC 7518 section 4).
const REFUSED: [&str; 15] =
    ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"];
