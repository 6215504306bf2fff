//! Numbers, waits and sentences as a voice reads them: no glyph, no column, no colour.

use crate::parking::Text;

/// The longest sentence, in characters: beyond it nobody listens, and no name gets that far.
const SENTENCE_MAX: usize = 1_000;

const SMALL: [&str; 20] = [
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A number in words up to 99, else in digits; 0 is `no`.
pub(super) fn number(n: u64) -> String {
    let small = |n: u64| usize::try_from(n).ok().and_then(|n| SMALL.get(n)).copied();
    if let Some(word) = small(n) {
        return word.to_owned();
    }
    let tens = usize::try_from(n / 10).ok().and_then(|tens| TENS.get(tens)).copied();
    match (tens, n % 10) {
        (None, _) => n.to_string(),
        (Some(tens), 0) => tens.to_owned(),
        (Some(tens), ones) => format!("{tens}-{}", small(ones).unwrap_or_default()),
    }
}

/// `one call`, `three calls`, `no calls`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    let n = u64::try_from(n).unwrap_or(u64::MAX);
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A wait in words: `twelve seconds`, `one minute and five seconds`, `two hours and three minutes`.
pub(super) fn wait(seconds: u64) -> String {
    let part = |n: u64, one: &str| match n {
        1 => format!("one {one}"),
        n => format!("{} {one}s", number(n)),
    };
    let both = |large: String, small: Option<String>| match small {
        Some(small) => format!("{large} and {small}"),
        None => large,
    };
    let rest = |n: u64, one: &str| (n > 0).then(|| part(n, one));
    match seconds {
        0 => "less than a second".to_owned(),
        1..60 => part(seconds, "second"),
        60..3_600 => both(part(seconds / 60, "minute"), rest(seconds % 60, "second")),
        3_600..86_400 => both(part(seconds / 3_600, "hour"), rest(seconds / 60 % 60, "minute")),
        _ => both(part(seconds / 86_400, "day"), rest(seconds / 3_600 % 24, "hour")),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(parts: &[String], last: &str) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}

/// A line as it is written: what the board says with marks is said with words and stops, it begins with a capital and ends
/// with a stop, and holds nothing that could steer a terminal.
pub(super) fn sentence(text: &str) -> String {
    let text = text.replace(" · ", ". ").replace('→', "for").replace('≈', "about ").replace('…', "...");
    let plain: String = Text::visible(&text).chars().take(SENTENCE_MAX).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut letters = plain.chars();
    let Some(first) = letters.next() else { return String::new() };
    let rest = letters.as_str();
    // A key stays the key that it is: `p parks`.
    let is_key = rest.is_empty() || rest.starts_with(' ');
    let first = if is_key { first.to_string() } else { first.to_uppercase().collect() };
    let stop = if plain.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    format!("{first}{rest}{stop}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_words() {
        for (seconds, words) in [
            (1, "one second"),
            (12, "twelve seconds"),
            (60, "one minute"),
            (125, "two minutes and five seconds"),
            (3_600, "one hour"),
            (7_380, "two hours and three minutes"),
            (90_000, "one day and one hour"),
        ] {
            assert_eq!(wait(seconds), words);
        }
        assert_eq!(
            (number(0), number(40), number(99), number(100)),
            ("no".into(), "forty".into(), "ninety-nine".into(), "100".into())
        );
        assert!(!wait(u64::MAX).is_empty());
    }

    #[test]
    fn a_sentence_has_a_capital_a_stop_and_no_marks() {
        assert_eq!(
            sentence("Jane is parked on 701 · u takes it back"),
            "Jane is parked on 701. u takes it back."
        );
        assert_eq!(sentence("registered again"), "Registered again.");
        assert_eq!(sentence("\u{1b}[2Jx\u{202e}y\u{7}\n■ z"), "[2Jxy z.");
        assert_eq!(sentence(""), "");
    }
}
