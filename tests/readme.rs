//! The README is kept true: its table of keys is the table of commands.

use parkdeck::console::command_table;
use std::fmt::Write as _;

const BEGIN: &str =
    "<!-- keys: written from the table of commands, and compared with it by tests/readme.rs -->\n";
const END: &str = "<!-- end of keys -->";

/// The table as the README should have it. The ten slot keys are one line, and so are those of the colleagues.
fn table_of_keys() -> String {
    let mut table = String::from("| keys | command | what it does |\n| --- | --- | --- |\n");
    for row in command_table() {
        let keys: Vec<String> = row.keys.iter().map(|key| format!("`{key}`")).collect();
        match row.name {
            "slot-1" => {
                let _ = writeln!(table, "| `1` … `9`, `0` | `slot-1` … `slot-10` | {} |", row.about);
            }
            "colleague-1" => {
                let _ = writeln!(table, "| `f1` … `f8` | `colleague-1` … `colleague-8` | {} |", row.about);
            }
            name if name.starts_with("slot-") || name.starts_with("colleague-") => {}
            name => {
                let _ = writeln!(table, "| {} | `{name}` | {} |", keys.join(" "), row.about);
            }
        }
    }
    table
}

#[test]
fn the_readme_shows_every_key_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (head, rest) = readme.split_once(BEGIN).expect("the README marks where the keys begin");
    let (shown, tail) = rest.split_once(END).expect("the README marks where the keys end");
    let wanted = table_of_keys();
    if shown != wanted && std::env::var_os("PARKDECK_WRITE_README").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{wanted}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(shown, wanted, "the keys in README.md are old: PARKDECK_WRITE_README=1 writes them anew");
}

#[test]
fn the_two_commands_of_the_readme_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for script in ["assets/demo.sh", "tests/run.sh", "tests/setup.sh"] {
        assert!(root.join(script).is_file(), "{script}");
    }
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("bash assets/demo.sh") && readme.contains("bash tests/run.sh"));
}
