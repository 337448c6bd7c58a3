//! PEM as it is found in values: also on one line, with blanks or `\n` in place of line breaks.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Takes both alphabets' padded and unpadded texts; which alphabet it is, is seen by the text.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// One block: its label and its bytes, which may be a private key's.
pub(super) struct Block<'t> {
    pub(super) label: &'t str,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// The blocks of a text, at most so many. What is encrypted, or no base64, is passed over.
pub(super) fn blocks(text: &str, most: usize) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        rest = &rest[begin + "-----BEGIN ".len()..];
        let Some((label, body)) = rest.split_once("-----") else {
            break;
        };
        let end = format!("-----END {label}-----");
        let Some((body, after)) = body.split_once(&end) else {
            continue;
        };
        rest = after;
        if found.len() >= most {
            break;
        }
        if let Some(bytes) = decode(body) {
            found.push(Block { label, bytes });
        }
    }
    found
}

/// Base64 of either alphabet, with blanks, line breaks and a `\n` written out anywhere.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bare = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut url_safe = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'n' | b'r') => {}
                _ => return None,
            },
            b'-' | b'_' => {
                url_safe = true;
                bare.push(byte);
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => bare.push(byte),
        }
    }
    let engine = if url_safe { &URL_SAFE } else { &STANDARD };
    engine
        .decode(&*bare)
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .map(Zeroizing::new)
}
