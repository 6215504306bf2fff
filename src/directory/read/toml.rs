//! People in TOML: `[[people]]` with a name and numbers, strict like the configuration.

use super::Reading;
use crate::directory::{Kind, Person};
use crate::parking::Text;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Everybody {
    #[serde(default)]
    people: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    organisation: Option<String>,
    role: Option<String>,
    note: Option<String>,
    extension: Option<OneOrMany>,
    work: Option<OneOrMany>,
    mobile: Option<OneOrMany>,
    home: Option<OneOrMany>,
    voicemail: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

pub(super) fn read(text: &str) -> Result<Reading, String> {
    let file: Everybody = ::toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })?;
    let mut reading = Reading::default();
    for (nth, entry) in (1..).zip(file.people) {
        let person = person(entry);
        if person.name.is_empty() && person.organisation.is_empty() || person.numbers.is_empty() {
            reading.complaints.push(format!("entry {nth} needs a name and a number"));
            reading.complaints.truncate(super::MAX_COMPLAINTS);
        }
        if !reading.take(person) {
            break;
        }
    }
    Ok(reading)
}

fn person(entry: Entry) -> Person {
    let text = |text: &Option<String>| Text::new(text.as_deref().unwrap_or_default());
    let mut person = Person {
        name: text(&entry.name),
        organisation: text(&entry.organisation),
        role: text(&entry.role),
        note: text(&entry.note),
        numbers: Vec::new(),
    };
    let numbers = [
        (Kind::Extension, entry.extension),
        (Kind::Work, entry.work),
        (Kind::Mobile, entry.mobile),
        (Kind::Home, entry.home),
        (Kind::Voicemail, entry.voicemail),
    ];
    for (kind, written) in numbers {
        match written {
            None => {}
            Some(OneOrMany::One(number)) => person.add(kind, &number),
            Some(OneOrMany::Many(several)) => several.iter().for_each(|number| person.add(kind, number)),
        }
    }
    person
}
