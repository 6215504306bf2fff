//! Asterisk's configuration files: sections, templates, `=`, `=>` and `+=`, comments in lines and in blocks, files that
//! include files. What can't be read is said with its line; nothing here knows what an option means.

use super::Remark;
use std::rc::Rc;

/// The most files that are read, included ones among them.
pub const MAX_FILES: usize = 64;
/// How deep files may include files.
pub const MAX_DEPTH: usize = 8;
/// The most sections.
pub const MAX_SECTIONS: usize = 512;
/// The most settings, those that sections take over from templates among them.
pub const MAX_ENTRIES: usize = 20_000;
/// The longest line, in bytes, as Asterisk has it.
pub const MAX_LINE: usize = 8_192;
/// The longest value that `+=` can make, in bytes.
const MAX_VALUE: usize = MAX_LINE;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub file: Rc<str>,
    /// From 1.
    pub line: usize,
}

/// A setting.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub value: String,
    pub at: Place,
}

/// `[name]` and what follows it.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub name: String,
    pub is_template: bool,
    pub entries: Vec<Entry>,
    pub at: Place,
}

impl Section {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Gives the files that an `#include` names: name and text, in order.
pub type Include<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<(String, String)>, String>;

/// Reads files one after the other into sections.
pub(super) struct Reader<'a> {
    include: Include<'a>,
    pub sections: Vec<Section>,
    /// The one that settings go into.
    current: Option<usize>,
    pub remarks: Vec<Remark>,
    files: usize,
    entries: usize,
    full: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(include: Include<'a>) -> Self {
        Self {
            include,
            sections: Vec::new(),
            current: None,
            remarks: Vec::new(),
            files: 0,
            entries: 0,
            full: false,
        }
    }

    /// Reads one file and those that it includes.
    pub(super) fn file(&mut self, name: &str, text: &str) {
        self.read(name, text, 0);
    }

    fn read(&mut self, name: &str, text: &str, depth: usize) {
        self.files += 1;
        let file: Rc<str> = name.into();
        let mut comments = 0;
        for (number, line) in text.lines().enumerate() {
            let at = Place { file: file.clone(), line: number + 1 };
            if line.len() > MAX_LINE {
                self.remark(&at, "the line is too long and was left out");
                continue;
            }
            let line = without_comments(line, &mut comments);
            let line = line.trim();
            if line.is_empty() || self.full {
                continue;
            }
            match line.chars().next() {
                Some('[') => self.section(line, at),
                Some('#') => self.directive(line, &at, depth),
                _ => self.entry(line, at),
            }
        }
        if comments > 0 {
            let at = Place { file, line: text.lines().count() };
            self.remark(&at, "a comment that begins with “;--” never ends with “--;”");
        }
    }

    fn section(&mut self, line: &str, at: Place) {
        let Some((name, rest)) = line.get(1..).and_then(|rest| rest.split_once(']')) else {
            return self.remark(&at, "a section begins with “[” and has no “]”");
        };
        let options = rest.trim().strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let options: Vec<&str> =
            options.map(|(options, _)| options.split(',').map(str::trim).collect()).unwrap_or_default();
        if self.sections.len() >= MAX_SECTIONS {
            self.full = true;
            return self.remark(&at, "there are too many sections: the rest was left out");
        }
        if options.iter().any(|option| option.starts_with('+')) {
            match self.sections.iter().position(|section| section.is(name.trim())) {
                Some(known) => {
                    self.current = Some(known);
                    return;
                }
                None => self.remark(&at, &format!("there is no section “{}” to add to", name.trim())),
            }
        }
        let mut section = Section {
            name: name.trim().to_owned(),
            is_template: options.contains(&"!"),
            entries: Vec::new(),
            at: at.clone(),
        };
        for parent in options.iter().filter(|option| !option.starts_with(['!', '+']) && !option.is_empty()) {
            match self.sections.iter().find(|section| section.is(parent)) {
                Some(template) if self.entries + template.entries.len() <= MAX_ENTRIES => {
                    self.entries += template.entries.len();
                    section.entries.extend(template.entries.iter().cloned());
                }
                Some(_) => {
                    self.full = true;
                    self.remark(&at, "there are too many settings: the rest was left out");
                    break;
                }
                None => self.remark(&at, &format!("there is no template “{parent}”")),
            }
        }
        self.current = Some(self.sections.len());
        self.sections.push(section);
    }

    fn entry(&mut self, line: &str, at: Place) {
        let Some((key, value)) = line.split_once('=') else {
            return self.remark(&at, "this is neither a section nor a setting");
        };
        let value = value.strip_prefix('>').unwrap_or(value).trim();
        let (key, appends) = match key.trim().strip_suffix('+') {
            Some(key) => (key.trim(), true),
            None => (key.trim(), false),
        };
        if self.entries >= MAX_ENTRIES {
            self.full = true;
            return self.remark(&at, "there are too many settings: the rest was left out");
        }
        let Some(section) = self.current.and_then(|current| self.sections.get_mut(current)) else {
            return self.remark(&at, "a setting before the first section");
        };
        let known = section.entries.iter_mut().rev().find(|entry| entry.key.eq_ignore_ascii_case(key));
        match known.filter(|_| appends) {
            Some(known) if known.value.len() + value.len() <= MAX_VALUE => {
                known.value.push_str(value);
                known.at = at;
            }
            Some(_) => self.remark(&at, "the value has become too long"),
            None => {
                self.entries += 1;
                section.entries.push(Entry { key: key.to_owned(), value: value.to_owned(), at });
            }
        }
    }

    fn directive(&mut self, line: &str, at: &Place, depth: usize) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let optional = word.eq_ignore_ascii_case("#tryinclude");
        if word.eq_ignore_ascii_case("#exec") {
            return self.remark(at, "what a program prints is not read: put its output into a file");
        }
        if !optional && !word.eq_ignore_ascii_case("#include") {
            return self.remark(at, "this is no directive that Asterisk knows");
        }
        let name = rest.trim().trim_matches(['"', '<', '>', '\'']);
        if depth + 1 >= MAX_DEPTH {
            return self.remark(at, "files include each other too deeply");
        }
        match (self.include)(name) {
            Ok(files) => {
                for (name, text) in files {
                    if self.files >= MAX_FILES {
                        return self.remark(at, "there are too many files: the rest was left out");
                    }
                    self.read(&name, &text, depth + 1);
                }
            }
            Err(_) if optional => {}
            Err(why) => self.remark(at, &format!("“{name}” can't be included: {why}")),
        }
    }

    pub(super) fn remark(&mut self, at: &Place, text: &str) {
        super::remark(&mut self.remarks, Some(at), text);
    }
}

/// A line without what is comment in it; `depth` counts the blocks (`;--` … `--;`) that are open.
fn without_comments(line: &str, depth: &mut usize) -> String {
    let mut left = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        let opens = rest.starts_with(";--") && !rest.starts_with(";---");
        let step = if opens {
            *depth += 1;
            3
        } else if *depth > 0 && rest.starts_with("--;") {
            *depth -= 1;
            3
        } else if *depth > 0 {
            letter.len_utf8()
        } else if rest.starts_with("\\;") {
            left.push(';');
            2
        } else if letter == ';' {
            break;
        } else {
            left.push(letter);
            letter.len_utf8()
        };
        rest = rest.get(step..).unwrap_or_default();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Section>, Vec<String>) {
        let mut include = |name: &str| match name {
            "more.conf" => Ok(vec![("more.conf".to_owned(), "[more]\na = 1\n".to_owned())]),
            "self.conf" => Ok(vec![("self.conf".to_owned(), "#include self.conf\n".to_owned())]),
            "wide.conf" => Ok(vec![("wide.conf".to_owned(), "[w]\na=1\n".to_owned()); 100]),
            _ => Err("there is no such file".to_owned()),
        };
        let mut reader = Reader::new(&mut include);
        reader.file("x.conf", text);
        (reader.sections, reader.remarks.iter().map(ToString::to_string).collect())
    }

    fn values(section: &Section) -> Vec<(&str, &str)> {
        section.entries.iter().map(|e| (e.key.as_str(), e.value.as_str())).collect()
    }

    #[test]
    fn sections_settings_and_comments_of_both_kinds() {
        let (sections, remarks) = read(
            "; a comment\n[general] ; of a line\nparkext => 700;its number\n;-- a block\nparkext = 800\n\
             ;-- within --;\n--;parkpos=701-720\nname = a\\;b\n;--- only a line\nlast = x ;-- here --; y\n",
        );
        assert_eq!(remarks, [""; 0]);
        assert_eq!(
            values(&sections[0]),
            [("parkext", "700"), ("parkpos", "701-720"), ("name", "a;b"), ("last", "x  y")]
        );
    }

    #[test]
    fn templates_are_taken_over_sections_are_added_to_and_values_are_appended() {
        let (sections, remarks) = read(
            "[base](!)\nfindslot=next\nx=a\n[other](!,base)\ny=1\n[lot](other)\nx+=b\nz+=c\n[lot2](base,none)\n\
             [LOT](+)\nx=last\n[nothing](+)\nq=1\n",
        );
        let lot = sections.iter().find(|section| section.is("lot")).unwrap();
        assert_eq!(values(lot), [("findslot", "next"), ("x", "ab"), ("y", "1"), ("z", "c"), ("x", "last")]);
        assert!(sections[0].is_template && sections[1].is_template && !lot.is_template);
        assert_eq!(
            remarks,
            ["x.conf:9: there is no template “none”", "x.conf:12: there is no section “nothing” to add to"]
        );
    }

    #[test]
    fn included_files_are_read_in_place_and_programs_are_not_run() {
        let (sections, remarks) = read(
            "#include \"more.conf\"\n#tryinclude <gone.conf>\n#include gone.conf\n#exec /bin/true\n#what\n",
        );
        assert_eq!(values(&sections[0]), [("a", "1")]);
        assert_eq!(sections[0].at.file.as_ref(), "more.conf");
        assert_eq!(remarks.len(), 3, "{remarks:?}");
        assert!(remarks[0].starts_with("x.conf:3: “gone.conf” can't be included"));
        assert!(remarks[1].starts_with("x.conf:4: what a program prints"));
    }

    #[test]
    fn what_is_hostile_is_bounded_and_said_once() {
        let (_, remarks) = read("#include self.conf\n");
        assert_eq!(remarks, ["self.conf:1: files include each other too deeply"]);
        let (_, remarks) = read("#include wide.conf\n");
        assert_eq!(remarks, ["x.conf:1: there are too many files: the rest was left out"]);
        let (sections, _) = read(&"[a]\n".repeat(100_000));
        assert_eq!(sections.len(), MAX_SECTIONS);
        let (sections, _) = read(&format!("[a]\n{}", "k=v\n".repeat(100_000)));
        assert_eq!(sections[0].entries.len(), MAX_ENTRIES);
        // A template of templates doubles with every line.
        let doubling: String = (1..200).map(|n| format!("[t{n}](t{},t{})\nk{n}=v\n", n - 1, n - 1)).collect();
        let (sections, remarks) = read(&format!("[t0]\nk=v\n{doubling}"));
        assert!(sections.iter().map(|section| section.entries.len()).sum::<usize>() <= MAX_ENTRIES);
        assert_eq!(remarks.len(), 1);
        let (_, remarks) = read(&format!("[a]\nk={}\nno setting\n;-- open\n", "x".repeat(MAX_LINE)));
        assert_eq!(remarks.len(), 3, "{remarks:?}");
        let (sections, _) = read(&format!("[a]\nk=v\n{}", "k+=aaaaaaaaaaaaaaaa\n".repeat(10_000)));
        assert!(sections[0].entries[0].value.len() <= MAX_VALUE);
    }
}
