//! Themes: all that come with the program are whole, fall back by dots, and errors tell their place.

use super::*;

#[test]
fn every_theme_that_comes_along_reads_and_names_every_scope_or_a_scope_above_it() {
    for name in THEMES {
        let theme = Theme::named(name).unwrap_or_else(|| panic!("{name} can't be read"));
        for scope in SCOPES {
            let covered = scope
                .match_indices('.')
                .map(|(at, _)| &scope[..at])
                .chain([*scope])
                .any(|s| theme.styles.contains_key(s));
            assert!(covered, "{name} says nothing of {scope}");
        }
    }
    assert_eq!(Theme::named("drak"), None);
}

#[test]
fn a_scope_falls_back_by_its_dots() {
    let theme =
        Theme::read("[scopes]\n\"lamp\" = \"red\"\n\"lamp.parked\" = { modifiers = [\"bold\"] }").unwrap();
    assert_eq!(theme.style("lamp.free"), Style::new().fg(Color::Red));
    assert_eq!(theme.style("lamp.parked.late"), Style::new().add_modifier(Modifier::BOLD));
    assert_eq!(theme.style("footer"), Style::new());
}

#[test]
fn what_is_wrong_is_told_with_line_column_and_what_was_meant() {
    let wrong = |toml: &str| Theme::read(toml).unwrap_err().to_string();
    for (toml, told) in [
        (
            "[scopes]\n\"lamp.parkd\" = \"red\"",
            "line 2, column 1: there is no scope “lamp.parkd”: did you mean “lamp.parked”?",
        ),
        ("[scopes]\nlamp = \"rde\"", "line 2, column 8: there is no colour “rde”: did you mean “red”?"),
        ("[scopes]\nlamp = { fg = \"#12345\" }", "line 2, column 15: a colour is written as #rrggbb"),
        (
            "[scopes]\nlamp = { modifiers = [\"blod\"] }",
            "line 2, column 23: there is no modifier “blod”: did you mean “bold”?",
        ),
        (
            "[scopes]\nlamp = { foreground = \"red\" }",
            "line 2, column 10: there is no part of a style “foreground”",
        ),
        ("[scopes]\nlamp = 7", "line 2, column 8: a table is wanted here, as { fg = \"red\" }"),
        ("[palete]\n", "line 1, column 2: there is no part of a theme “palete”: did you mean “palette”?"),
    ] {
        assert_eq!(wrong(toml), told);
    }
    assert!(wrong("[scopes\n").starts_with("line 1, column "), "{}", wrong("[scopes\n"));
    assert!(wrong("x = 1\n").contains("there is no part of a theme “x”"));
    assert!(wrong("[scopes]\nlamp = \"\\u001b[2J\"").contains("“[2J”"), "what is told can be printed");
}

#[test]
fn without_colour_nothing_has_a_colour_and_what_stood_out_still_does() {
    for name in THEMES {
        let plain = Theme::named(name).unwrap().without_colour();
        assert!(plain.styles.values().all(|s| s.fg.is_none() && s.bg.is_none()));
        for scope in ["banner", "slot.cursor", "muted", "notice.error", "chosen", "input.cursor"] {
            assert!(!plain.style(scope).add_modifier.is_empty(), "{scope} in {name}");
        }
    }
}

#[test]
fn sixteen_colours_are_the_nearest() {
    assert_eq!(nearest_of_16(Color::Rgb(250, 90, 90)), Color::LightRed);
    assert_eq!(nearest_of_16(Color::Rgb(0, 0, 0)), Color::Black);
    assert_eq!(nearest_of_16(Color::Reset), Color::Reset);
    let theme = Theme::named("dark").unwrap().with_16_colours();
    let rgb = |c: Option<Color>| matches!(c, Some(Color::Rgb(..)));
    assert!(theme.styles.values().all(|s| !rgb(s.fg) && !rgb(s.bg)));
}
