//! The rules of the house: who may import whom, what pure modules may not know, and a headline on every file.
//!
//! Paths are read from the syntax tree, so that `use crate::{…}`, `super::super::…` and a path in the middle of an
//! expression count as much as a plain `use`.

// A step that fails here is a test that fails, inside `#[test]` or not.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Our modules and what of ours each may import. `parking` holds the shared words and imports nothing.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("parking", &[]),
    ("sip", &[]),
    ("media", &[]),
    ("desk", &["parking"]),
    ("ami", &["parking"]),
    ("dialect", &["sip", "ami", "desk", "parking"]),
    ("lot", &["sip", "media", "parking"]),
    ("journal", &["desk", "parking"]),
    ("config", &["desk", "parking"]),
    ("directory", &["parking"]),
    ("console", &["desk", "directory", "config", "parking"]),
    ("io", &["sip", "media"]),
    (
        "app",
        &[
            "parking",
            "sip",
            "ami",
            "media",
            "desk",
            "dialect",
            "lot",
            "directory",
            "journal",
            "config",
            "console",
            "io",
        ],
    ),
    ("demo", &["app", "lot", "sip", "media", "io", "parking", "config", "desk"]),
    ("cli", &["app", "config", "demo", "dialect", "io"]),
    ("main", &["cli"]),
];

/// Modules without clock, lock, thread, socket, file, environment or `async`.
const PURE: &[&str] = &["parking", "sip", "media", "desk", "dialect", "lot", "ami", "directory"];

/// Names that a pure module may not speak.
const IMPURE_NAMES: &[&str] = &[
    "Instant",
    "SystemTime",
    "Mutex",
    "RwLock",
    "Condvar",
    "OnceLock",
    "LazyLock",
    "RefCell",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "tokio",
    "mio",
    "cpal",
    "crossterm",
    "ratatui",
    "File",
    "OpenOptions",
    "spawn",
];

/// Paths (by their beginning) that a pure module may not speak.
const IMPURE_PATHS: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "rand::rng",
    "rand::random",
];

/// Macros that print; nothing may but the command line, which writes to its streams by hand.
const PRINTING: &[&str] = &["println", "print", "eprintln", "eprint", "dbg"];

struct Source {
    /// `desk/park.rs`
    name: String,
    /// `["desk", "park"]`
    module: Vec<String>,
    text: String,
    tree: syn::File,
    is_test: bool,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files.iter().map(|file| read(&root, file)).collect()
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn read(root: &Path, file: &Path) -> Source {
    let relative = file.strip_prefix(root).unwrap();
    let name = relative.to_string_lossy().into_owned();
    let mut module: Vec<String> =
        relative.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    let text = std::fs::read_to_string(file).unwrap();
    let tree = syn::parse_file(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    let is_test = module.iter().any(|m| m == "tests" || m.ends_with("_tests"));
    Source { name, module, text, tree, is_test }
}

fn top(source: &Source) -> &str {
    source.module.first().map(String::as_str).unwrap_or_default()
}

/// Everything that a file says: whole paths (with `crate`, `self` and `super` resolved), macros and keywords.
struct Said {
    module: Vec<String>,
    paths: Vec<(Vec<String>, usize)>,
    macros: Vec<(String, usize)>,
    asyncs: Vec<usize>,
    unsafes: Vec<usize>,
}

impl Said {
    fn of(source: &Source) -> Self {
        let module = source.module.clone();
        let mut said = Self { module, paths: vec![], macros: vec![], asyncs: vec![], unsafes: vec![] };
        said.visit_file(&source.tree);
        said
    }

    fn resolve(&self, parts: Vec<String>) -> Vec<String> {
        let mut rest = parts.as_slice();
        let mut base: Option<Vec<String>> = None;
        while let Some(first) = rest.first() {
            match first.as_str() {
                "crate" | "parkdeck" => base = Some(Vec::new()),
                "self" => base = Some(base.unwrap_or_else(|| self.module.clone())),
                "super" => {
                    let mut up = base.unwrap_or_else(|| self.module.clone());
                    up.pop();
                    base = Some(up);
                }
                _ => break,
            }
            rest = &rest[1..];
        }
        match base {
            Some(mut base) => {
                base.insert(0, "crate".into());
                base.extend(rest.iter().cloned());
                base
            }
            None => parts,
        }
    }

    fn say(&mut self, parts: Vec<String>, line: usize) {
        let resolved = self.resolve(parts);
        self.paths.push((resolved, line));
    }

    fn use_tree(&mut self, tree: &syn::UseTree, prefix: &[String]) {
        let with = |ident: &syn::Ident| {
            let mut path = prefix.to_vec();
            path.push(ident.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => {
                let prefix = with(&path.ident);
                self.use_tree(&path.tree, &prefix);
            }
            syn::UseTree::Name(name) => self.say(with(&name.ident), name.span().start().line),
            syn::UseTree::Rename(rename) => self.say(with(&rename.ident), rename.span().start().line),
            syn::UseTree::Glob(glob) => self.say(prefix.to_vec(), glob.span().start().line),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(item, prefix)),
        }
    }
}

/// Whether attributes say `#[cfg(test)]` (or any combination that names it).
fn only_for_tests(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|a| {
        let syn::Meta::List(list) = &a.meta else { return false };
        let tokens = list.tokens.to_string();
        a.path().is_ident("cfg") && tokens.split(|c: char| !c.is_alphanumeric()).any(|w| w == "test")
    })
}

impl<'ast> Visit<'ast> for Said {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if only_for_tests(&item.attrs) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !only_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !only_for_tests(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !only_for_tests(&item.attrs) {
            self.use_tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.say(parts, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let name = mac.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        let line = mac.span().start().line;
        self.macros.push((name, line));
        // What a macro is given is no syntax tree; its words are looked at in pairs.
        let tokens = mac.tokens.to_string();
        let words: Vec<String> = tokens
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect();
        for pair in words.windows(2).filter(|w| w[0] == "crate") {
            self.say(pair.to_vec(), line);
        }
        visit::visit_macro(self, mac);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.asyncness.is_some() {
            self.asyncs.push(signature.span().start().line);
        }
        if signature.unsafety.is_some() {
            self.unsafes.push(signature.span().start().line);
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, expr: &'ast syn::ExprAsync) {
        self.asyncs.push(expr.span().start().line);
        visit::visit_expr_async(self, expr);
    }

    fn visit_expr_await(&mut self, expr: &'ast syn::ExprAwait) {
        self.asyncs.push(expr.span().start().line);
        visit::visit_expr_await(self, expr);
    }

    fn visit_expr_unsafe(&mut self, expr: &'ast syn::ExprUnsafe) {
        self.unsafes.push(expr.span().start().line);
        visit::visit_expr_unsafe(self, expr);
    }
}

fn report(broken: &[String], rule: &str) {
    let mut text = String::new();
    for line in broken {
        let _ = writeln!(text, "  {line}");
    }
    assert!(broken.is_empty(), "{rule}:\n{text}");
}

fn imports_broken(source: &Source) -> Vec<String> {
    let own = top(source);
    if own == "lib" || source.is_test {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == own) else {
        return vec![format!("{}: “{own}” has no row in the import table", source.name)];
    };
    let ours: BTreeSet<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    let mut broken = Vec::new();
    for (path, line) in Said::of(source).paths {
        let Some(target) = path.get(1).filter(|_| path[0] == "crate") else { continue };
        if ours.contains(target.as_str()) && target != own && !allowed.contains(&target.as_str()) {
            broken.push(format!("{}:{line}: {own} may not import {target}", source.name));
        }
    }
    broken
}

fn impurities(source: &Source) -> Vec<String> {
    let own = top(source);
    if !PURE.contains(&own) || source.is_test {
        return Vec::new();
    }
    let said = Said::of(source);
    let mut broken = Vec::new();
    for (path, line) in &said.paths {
        let whole = path.join("::");
        let name = path.iter().find(|part| IMPURE_NAMES.contains(&part.as_str()) && path[0] != "crate");
        let beginning = IMPURE_PATHS
            .iter()
            .find(|p| whole.strip_prefix(**p).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")));
        if let Some(what) = name.map(String::as_str).or(beginning.copied()) {
            broken.push(format!("{}:{line}: {what} in a pure module", source.name));
        }
    }
    broken.extend(said.asyncs.iter().map(|line| format!("{}:{line}: async in a pure module", source.name)));
    broken
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let broken: Vec<String> = sources().iter().flat_map(imports_broken).collect();
    report(&broken, "the import table is broken");
}

#[test]
fn pure_modules_know_no_clock_lock_thread_socket_or_async() {
    let broken: Vec<String> = sources().iter().flat_map(impurities).collect();
    report(&broken, "a pure module knows the world");
}

#[test]
fn every_file_begins_with_a_headline() {
    let mut broken: Vec<String> =
        sources().into_iter().filter(|s| !s.text.starts_with("//! ")).map(|s| s.name).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut others = Vec::new();
    for dir in ["tests", "benches"].map(|dir| root.join(dir)).iter().filter(|dir| dir.is_dir()) {
        collect(dir, &mut others);
    }
    for file in others {
        if !std::fs::read_to_string(&file).unwrap().starts_with("//! ") {
            broken.push(file.display().to_string());
        }
    }
    report(&broken, "a file begins with a line that says what lives there (//! …)");
}

#[test]
fn nothing_is_unsafe_and_nothing_prints() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test) {
        let said = Said::of(source);
        broken.extend(said.unsafes.iter().map(|line| format!("{}:{line}: unsafe", source.name)));
        for (name, line) in said.macros.iter().filter(|(name, _)| PRINTING.contains(&name.as_str())) {
            broken.push(format!("{}:{line}: {name}!", source.name));
        }
    }
    report(&broken, "unsafe or printing");
}

#[test]
fn rsip_is_known_to_the_message_module_alone() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| !s.name.starts_with("sip/message")) {
        for (path, line) in Said::of(source).paths {
            if path.first().is_some_and(|p| p == "rsip") {
                broken.push(format!("{}:{line}", source.name));
            }
        }
    }
    report(&broken, "rsip is imported outside sip/message");
}

#[test]
fn module_names_say_something() {
    let vague = ["utils", "util", "helpers", "helper", "common", "manager", "misc"];
    let broken: Vec<String> = sources()
        .iter()
        .filter(|s| s.module.iter().any(|m| vague.contains(&m.as_str())))
        .map(|s| s.name.clone())
        .collect();
    report(&broken, "a module's name says nothing");
}

/// The rules themselves: what must be caught is caught, however it is written.
mod the_rules_catch {
    use super::*;

    fn written_in(module: &str, text: &str) -> Source {
        let tree = syn::parse_file(text).unwrap();
        let module = module.split('/').map(str::to_owned).collect();
        Source { name: "probe".into(), module, text: text.into(), tree, is_test: false }
    }

    #[test]
    fn a_grouped_nested_renamed_or_inline_import() {
        for text in [
            "use crate::lot::Lot;",
            "use crate::{desk::Desk, lot};",
            "use crate::{desk::{self, Call}, lot::{slots::{Book as B}}};",
            "use crate::lot as harmless;",
            "use super::super::lot::Lot;",
            "fn f() { let _ = crate::lot::Lot::new(); }",
            "fn f(_: &crate::lot::Lot) {}",
            "fn f() { println!(\"{}\", crate::lot::N); }",
            "mod inner { use super::super::super::lot::Lot; }",
        ] {
            let source = written_in("dialect/parking", text);
            assert_eq!(imports_broken(&source).len(), 1, "{text}");
        }
        let allowed = "use crate::{desk::Desk, sip::{self}}; use super::phone::Phone;";
        assert_eq!(imports_broken(&written_in("dialect/parking", allowed)), Vec::<String>::new());
    }

    #[test]
    fn a_clock_a_lock_a_socket_a_thread_and_async() {
        for text in [
            "use std::time::{Duration, Instant};",
            "fn f() { let _ = std::time::SystemTime::now(); }",
            "use std::sync::{Arc, Mutex};",
            "use std::net::{SocketAddr, UdpSocket};",
            "fn f() { std::thread::sleep(d); }",
            "async fn f() {}",
            "fn f() { let _ = async { 1 }; }",
            "fn f() { let _ = std::fs::read(\"x\"); }",
        ] {
            assert!(!impurities(&written_in("desk/park", text)).is_empty(), "{text}");
            assert!(impurities(&written_in("io/net", text)).is_empty(), "{text}");
        }
        let pure = "use std::time::Duration; #[cfg(test)] mod t { use std::time::Instant; }";
        assert_eq!(impurities(&written_in("desk/park", pure)), Vec::<String>::new());
    }
}
