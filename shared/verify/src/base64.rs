//! Strict base64url (RFC 7515 section 2): no padding, no white space, no character outside the alphabet, zero trailing bits.

use base64_simd::{AsOut, Out, URL_SAFE_NO_PAD};

use std::mem::MaybeUninit;

/// Decodes into a buffer that need not be initialised; none when the text is not strict or the buffer is too small.
pub(crate) fn decode_to<'b>(text: &str, buffer: &'b mut [MaybeUninit<u8>]) -> Option<&'b [u8]> {
    let length = URL_SAFE_NO_PAD.decoded_length(text.as_bytes()).ok()?;
    let out: Out<'b, [u8]> = buffer.get_mut(..length)?.as_out();
    URL_SAFE_NO_PAD.decode(text.as_bytes(), out).ok().map(|decoded| &*decoded)
}

/// Decodes onto the end of `buffer`; none when the text is not strict.
pub(crate) fn decode_append(text: &str, buffer: &mut Vec<u8>) -> Option<()> {
    URL_SAFE_NO_PAD.decode_append(text, buffer).ok()
}

/// Decodes; none when the text is not strict.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// Encodes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_strict_is_refused() {
        let cases = [
            ("=", "padding alone"),
            ("QQ==", "padding"),
            ("QQ=", "padding cut short"),
            ("A", "a lone character"),
            ("AAAAA", "a lone character after a full group"),
            ("QR", "trailing bits that are not zero, after one byte"),
            ("QUJ", "trailing bits that are not zero, after two bytes"),
            ("QU I", "a space"),
            ("QUI\n", "a line end"),
            ("QU+/", "the standard alphabet"),
            ("QU\u{e9}I", "not ASCII"),
            ("QUI.", "a dot"),
            ("QU\0I", "a NUL"),
        ];
        for (text, what) in cases {
            // Also behind enough text for the vectorised path.
            for text in [text.to_owned(), format!("{}{text}", "A".repeat(64))] {
                assert_eq!(decode(&text), None, "{what}: {text}");
                assert_eq!(decode_append(&text, &mut Vec::new()), None, "{what}: {text}");
                assert_eq!(decode_to(&text, &mut [MaybeUninit::uninit(); 128]), None, "{what}: {text}");
            }
        }
    }

    #[test]
    fn every_byte_outside_the_alphabet_is_refused_at_every_place() {
        for byte in 0..=0x7f_u8 {
            let allowed = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            for place in 0..80 {
                let mut text = vec![b'A'; 80];
                text[place] = byte;
                assert_eq!(decode(str::from_utf8(&text).unwrap()).is_some(), allowed, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn a_buffer_that_is_too_small_is_no_panic() {
        assert_eq!(decode_to("QUJD", &mut [MaybeUninit::uninit(); 2]), None);
        assert_eq!(decode_to("QUJD", &mut [MaybeUninit::uninit(); 3]), Some(&b"ABC"[..]));
    }
}
