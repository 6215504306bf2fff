//! Every kind of mistake in a file, with its line, column, meaning and remedy.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Office {
    listen: std::net::SocketAddr,
    #[serde(default)]
    users: Vec<User>,
    #[serde(default)]
    find: Find,
    #[serde(default)]
    notes: BTreeMap<String, u16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct User {
    name: String,
    secret: String,
    #[serde(default)]
    contacts: u8,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Find {
    #[default]
    First,
    Next,
}

/// Line, column, meaning and remedy of each problem.
fn wrong(text: &str) -> Vec<(usize, usize, String, Option<String>)> {
    let problems = read::<Office>(text, "lot.toml").unwrap_err().problems;
    problems.into_iter().map(|p| (p.line, p.column, p.meaning, p.did_you_mean)).collect()
}

fn one(text: &str) -> (usize, usize, String, Option<String>) {
    let mut all = wrong(text);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

fn told(
    line: usize,
    column: usize,
    meaning: &str,
    remedy: Option<&str>,
) -> (usize, usize, String, Option<String>) {
    (line, column, meaning.to_owned(), remedy.map(str::to_owned))
}

#[test]
fn a_sound_file_is_read() {
    let office: Office =
        read("listen = \"127.0.0.1:5060\"\n[[users]]\nname = \"a\"\nsecret = \"b\"", "c").unwrap();
    assert_eq!(office.users.len(), 1);
}

#[test]
fn a_misspelt_key() {
    let text = "listen = \"127.0.0.1:5060\"\n\n[[users]]\nname = \"a\"\nsecret = \"b\"\n  contcts = 3\n";
    let expected = told(6, 3, "there is no key “contcts” in entry 1 of [users]", Some("“contacts”"));
    assert_eq!(one(text), expected);
}

#[test]
fn a_wrong_type_and_a_number_out_of_range() {
    let text = "listen = \"127.0.0.1:5060\"\nnotes = { a = \"x\", b = 70000 }\n";
    assert_eq!(
        wrong(text),
        [
            told(2, 15, "expected a whole number, found string \"x\"", None),
            told(2, 24, "expected a whole number, found integer `70000`", None)
        ]
    );
}

#[test]
fn a_word_that_is_no_choice() {
    let expected = told(2, 8, "“nxt” is not one of: first, next", Some("\"next\""));
    assert_eq!(one("listen = \"127.0.0.1:5060\"\nfind = \"nxt\""), expected);
}

#[test]
fn a_value_that_its_type_refuses() {
    let (line, column, meaning, _) = one("listen = \"127.0.0.1\"");
    assert_eq!((line, column), (1, 10));
    assert!(meaning.contains("socket address"), "{meaning}");
}

#[test]
fn a_key_that_is_missing_in_one_entry_points_at_that_entry() {
    let text =
        "listen = \"127.0.0.1:5060\"\n[[users]]\nname = \"a\"\nsecret = \"b\"\n[[users]]\nname = \"c\"\n";
    assert_eq!(one(text), told(5, 1, "entry 2 of [users] lacks “secret”", None));
    assert_eq!(one("find = \"next\""), told(1, 1, "the file lacks “listen”", None));
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_in_order() {
    let text = "listne = 1\nfind = 3\n[[users]]\nnam = \"a\"\nsecret = 1\n[[users]]\nname = \"b\"\nsecret = \"x\"\nx = 1\n";
    let lines: Vec<usize> = wrong(text).iter().map(|w| w.0).collect();
    assert_eq!(lines, [1, 1, 2, 3, 4, 5, 9], "{:#?}", wrong(text));
}

#[test]
fn what_was_refused_is_not_called_missing_as_well() {
    let (_, _, meaning, _) = one("listen = 3");
    assert!(meaning.starts_with("expected"), "{meaning}");
}

#[test]
fn no_secret_is_in_any_message() {
    for text in [
        "[[users]]\nsecret = 987654\nname = 1",
        "[[users]]\nsecret = hunter2",
        "[[users]]\nsecret = \"hunter2",
        "[[users]]\nsecret = \"hunter2\" x",
        "[[users]]\nsecret = [\"hunter2\"]",
        "[[users]]\npassword = \"hunter2\"",
        "[[users]]\nsecret \"hunter2\"",
        "[[users]]\nsecret: hunter2",
        "users = [{ name = 3, secret = \"hunter2\", contcts = 3 }]",
        "users = [{ secret = \"hunter2\", secret = \"hunter2\" }]",
    ] {
        let error = read::<Office>(text, "c").unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("987654"), "{shown}");
    }
}

#[test]
fn broken_toml_is_told_in_words() {
    for (text, line, column, part, remedy) in [
        ("listen = 1\nlisten = 2", 2, 1, "given twice", None),
        ("find = next", 1, 8, "needs quotes", Some("\"next\"")),
        ("find", 1, 5, "wants “=” and a value", None),
        ("find =", 1, 7, "the value is missing", None),
        ("find = \"next\n", 1, 13, "closing quote", None),
        ("[users\nfind = 1", 1, 7, "bracket", None),
        ("notes = { a = 1", 1, 16, "bracket", None),
    ] {
        let found = wrong(text);
        let (l, c, meaning, did_you_mean) = &found[0];
        assert!(meaning.contains(part), "{text}: {found:?}");
        assert_eq!((*l, *c, did_you_mean.as_deref()), (line, column, remedy), "{text}: {found:?}");
    }
}

#[test]
fn two_lines_that_are_no_toml_are_both_told() {
    let lines: Vec<usize> =
        wrong("find = next\nlisten = \"127.0.0.1:5060\"\nx = y z\n").iter().map(|w| w.0).collect();
    assert_eq!(lines, [1, 3]);
}

#[test]
fn a_problem_found_later_is_placed_by_its_path() {
    let text = "listen = \"127.0.0.1:5060\"\n[[users]]\nname = \"a\"\nsecret = \"b\"\n";
    let found = [
        ("users.0.name", "taken".to_owned()),
        ("users.0.missing", "here".to_owned()),
        ("nowhere", "top".to_owned()),
    ];
    let error = ConfigError::at_paths(text, "c", found.iter().map(|(p, m)| (*p, m.clone()))).unwrap();
    let places: Vec<(usize, usize)> = error.problems.iter().map(|p| (p.line, p.column)).collect();
    assert_eq!(places, [(1, 1), (2, 1), (3, 8)]);
    assert_eq!(ConfigError::at_paths(text, "c", []), None);
}

#[test]
fn size_depth_and_number_are_bounded() {
    let long = "#".repeat(MAX_FILE + 1);
    assert!(wrong(&long)[0].2.contains("longer than"));
    let deep = format!("notes = {}", "[".repeat(100_000));
    assert!(!wrong(&deep).is_empty());
    let many: String = (0..10_000).map(|i| format!("key{i} = 1\n")).collect();
    assert_eq!(wrong(&many).len(), MAX_PROBLEMS);
}
