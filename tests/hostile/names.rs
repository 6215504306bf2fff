//! What callers of bad character call themselves.

/// Names as bytes, as they would stand between quotation marks: escapes, bells, overrides, invisible characters, towers
/// of marks, wide and joined characters, bytes that are no UTF-8, and what would pass for a lamp.
pub fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        "\u{1b}[13;37;77mEve\u{1b}[2J".as_bytes(),
        b"\x1b]52;c;cGFya2RlY2s=\x07Eve",
        b"\x1b]0;title\x1b\\Eve",
        b"\x1bP1$r\x1b\\\x1b_x\x1b\\\x1bcEve",
        "\u{9b}31mEve\u{9d}52;c;aGk=\u{9c}".as_bytes(),
        "Eve \u{202e}drowssap\u{202c} \u{2066}x\u{2069}\u{200f}".as_bytes(),
        "E\u{200b}v\u{200d}e\u{feff}\u{2060}\u{ad}".as_bytes(),
        "Eve\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}".as_bytes(),
        "שלום Eve مرحبا".as_bytes(),
        "会議室の受付からの大変に長い名前の電話であります会議室の受付".as_bytes(),
        "👩‍👩‍👧‍👦🇬🇧👍🏽 Eve".as_bytes(),
        b"Eve \xff\xfe\xc0\x80\xed\xa0\x80\xf8",
        b"Eve\tTab\x08\x08\x0b\x0c\x7f\x00",
        "■ 701 free □ │ ▶".as_bytes(),
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    names.push("E\u{301}ve ".repeat(10_000).into_bytes());
    names
}

/// The same as they stand behind `From:`, with what hides in URIs and folded lines.
pub fn senders() -> Vec<Vec<u8>> {
    let quoted = |name: &[u8]| [b"\"", name, b"\" <sip:eve@127.0.0.1>"].concat();
    let mut senders: Vec<Vec<u8>> = names().iter().map(|name| quoted(name)).collect();
    senders.push(b"<sip:%1b%5d52;c;aGk=%07eve@127.0.0.1>".to_vec());
    senders.push(b"<sip:%E2%80%AEeve%00@127.0.0.1>".to_vec());
    senders.push(b"\"Eve\r\n \x1b[31mfolded\" <sip:eve@127.0.0.1>".to_vec());
    senders
}
