//! A table with a line of headings, as office programs and address books export it; the columns are known by their names,
//! in whatever order.

use super::Reading;
use crate::directory::{Kind, Person};
use crate::parking::Text;
use csv::{ReaderBuilder, StringRecord};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Name,
    Given,
    Middle,
    Family,
    Organisation,
    Role,
    Note,
    Number(Kind),
    /// `Phone 1 - Value` of Google's contacts; the column before it tells the kind.
    Value,
    /// `Phone 1 - Type`, `Phone 1 - Label`.
    Label,
}

/// The names of columns, in lower case, and what they hold: ours, Outlook's and Google's.
const NAMES: &[(&str, Column)] = &[
    ("name", Column::Name),
    ("display name", Column::Name),
    ("displayname", Column::Name),
    ("full name", Column::Name),
    ("file as", Column::Name),
    ("first name", Column::Given),
    ("firstname", Column::Given),
    ("given name", Column::Given),
    ("middle name", Column::Middle),
    ("additional name", Column::Middle),
    ("last name", Column::Family),
    ("lastname", Column::Family),
    ("surname", Column::Family),
    ("family name", Column::Family),
    ("organisation", Column::Organisation),
    ("organization", Column::Organisation),
    ("organization name", Column::Organisation),
    ("organization 1 - name", Column::Organisation),
    ("company", Column::Organisation),
    ("company name", Column::Organisation),
    ("role", Column::Role),
    ("title", Column::Role),
    ("job title", Column::Role),
    ("organization title", Column::Role),
    ("organization 1 - title", Column::Role),
    ("department", Column::Role),
    ("note", Column::Note),
    ("notes", Column::Note),
    ("extension", Column::Number(Kind::Extension)),
    ("ext", Column::Number(Kind::Extension)),
    ("number", Column::Number(Kind::Work)),
    ("phone", Column::Number(Kind::Work)),
    ("telephone", Column::Number(Kind::Work)),
    ("phone number", Column::Number(Kind::Work)),
    ("work", Column::Number(Kind::Work)),
    ("work phone", Column::Number(Kind::Work)),
    ("business phone", Column::Number(Kind::Work)),
    ("business phone 2", Column::Number(Kind::Work)),
    ("company main phone", Column::Number(Kind::Work)),
    ("primary phone", Column::Number(Kind::Work)),
    ("other phone", Column::Number(Kind::Work)),
    ("mobile", Column::Number(Kind::Mobile)),
    ("mobile phone", Column::Number(Kind::Mobile)),
    ("cell", Column::Number(Kind::Mobile)),
    ("cell phone", Column::Number(Kind::Mobile)),
    ("home", Column::Number(Kind::Home)),
    ("home phone", Column::Number(Kind::Home)),
    ("home phone 2", Column::Number(Kind::Home)),
    ("voicemail", Column::Number(Kind::Voicemail)),
];

fn column(name: &str) -> Option<Column> {
    let name = name.trim().to_lowercase().replace(['_', '-'], " ");
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(rest) = name.strip_prefix("phone ") {
        let mut parts = rest.split(' ');
        let nth = parts.next().is_some_and(|nth| nth.bytes().all(|b| b.is_ascii_digit()));
        match (nth, parts.next()) {
            (true, Some("value")) => return Some(Column::Value),
            (true, Some("type" | "label")) => return Some(Column::Label),
            _ => {}
        }
    }
    let known = |known: &str| known.replace('-', " ").split_whitespace().eq(name.split(' '));
    NAMES.iter().find(|(called, _)| known(called)).map(|(_, column)| *column)
}

/// The sign between the fields: whichever the line of headings has most.
fn separator(text: &str) -> u8 {
    let headings = text.lines().next().unwrap_or_default();
    let count = |sign: &u8| headings.bytes().filter(|byte| byte == sign).count();
    b",;\t".iter().copied().max_by_key(count).filter(|sign| count(sign) > 0).unwrap_or(b',')
}

pub(super) fn read(text: &str) -> Result<Reading, String> {
    let mut reader =
        ReaderBuilder::new().delimiter(separator(text)).flexible(true).from_reader(text.as_bytes());
    let headings = reader.headers().map_err(|error| error.to_string())?.clone();
    let columns: Vec<Option<Column>> = headings.iter().map(column).collect();
    let has = |wanted: fn(&Column) -> bool| columns.iter().flatten().any(wanted);
    if !has(|c| matches!(c, Column::Name | Column::Given | Column::Family | Column::Organisation)) {
        return Err("its first line names no column “name” (or “first name”, “last name”, “company”)".into());
    }
    if !has(|c| matches!(c, Column::Number(_) | Column::Value)) {
        return Err("its first line names no column “number” (or “extension”, “phone”, “mobile”)".into());
    }
    let mut reading = Reading::default();
    let mut record = StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                if !reading.take(person(&columns, &record)) {
                    reading.complain(line, "no more people have room");
                    break;
                }
            }
            Err(error) => reading.complain(line, error),
        }
    }
    Ok(reading)
}

fn person(columns: &[Option<Column>], record: &StringRecord) -> Person {
    let mut person = Person::default();
    let (mut given, mut middle, mut family, mut label) = ("", "", "", "");
    for (column, field) in columns.iter().zip(record.iter()) {
        let field = field.trim();
        match column {
            _ if field.is_empty() => {}
            None => {}
            Some(Column::Name) => person.name = Text::new(field),
            Some(Column::Given) => given = field,
            Some(Column::Middle) => middle = field,
            Some(Column::Family) => family = field,
            Some(Column::Organisation) => person.organisation = Text::new(field),
            Some(Column::Role) if person.role.is_empty() => person.role = Text::new(field),
            Some(Column::Role) => person.role = Text::new(&format!("{}, {field}", person.role)),
            Some(Column::Note) => person.note = Text::new(field),
            Some(Column::Number(kind)) => person.add(*kind, field),
            Some(Column::Label) => label = field,
            Some(Column::Value) => {
                // Several numbers of one kind stand in one field.
                for number in field.split(":::") {
                    person.add(kind_of(label), number.trim());
                }
                label = "";
            }
        }
    }
    if person.name.is_empty() {
        person.name = Text::new(&[given, middle, family].join(" "));
    }
    person
}

/// What a label in Google's words means.
fn kind_of(label: &str) -> Kind {
    let label = label.to_lowercase();
    match () {
        () if label.contains("mobile") || label.contains("cell") => Kind::Mobile,
        () if label.contains("home") => Kind::Home,
        () => Kind::Work,
    }
}
