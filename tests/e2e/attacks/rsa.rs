//! RSA as arithmetic, for signatures that no signer makes.

use num_bigint::BigUint;

/// The private operation without any padding, which no library that is fit for use offers.
pub(crate) struct RawRsa {
    pub(crate) modulus: BigUint,
    private: BigUint,
}

impl RawRsa {
    /// `RSAPrivateKey` (RFC 8017, appendix A.1.2), alone or in PKCS #8.
    pub(crate) fn parse(der: &[u8]) -> Self {
        let mut numbers = Vec::new();
        let key = content(der, 0x30).0;
        let (_, rest) = content(key, 0x02);
        let mut key = if rest[0] == 0x30 {
            // PKCS #8: version, algorithm, the key in an octet string.
            let (_, rest) = content(rest, 0x30);
            content(content(rest, 0x04).0, 0x30).0
        } else {
            key
        };
        while !key.is_empty() {
            let (number, rest) = content(key, 0x02);
            numbers.push(BigUint::from_bytes_be(number));
            key = rest;
        }
        Self { modulus: numbers[1].clone(), private: numbers[3].clone() }
    }

    pub(crate) fn sign(&self, block: &[u8]) -> Vec<u8> {
        let signed = BigUint::from_bytes_be(block).modpow(&self.private, &self.modulus).to_bytes_be();
        [vec![0; block.len() - signed.len()], signed].concat()
    }
}

/// The content of the first value in `der`, which has this tag, and what follows it.
fn content(der: &[u8], tag: u8) -> (&[u8], &[u8]) {
    assert_eq!(der[0], tag);
    let (start, length) = match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7f);
            let length = der[2..2 + octets].iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            (2 + octets, length)
        }
    };
    (&der[start..start + length], &der[start + length..])
}
