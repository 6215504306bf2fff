//! An LDAP entry as a person: the attributes of inetOrgPerson (RFC 2798) and of Active Directory.

use crate::directory::{Kind, Person};
use crate::parking::Text;

/// The attributes that are asked for.
pub const ATTRIBUTES: [&str; 14] = [
    "displayName",
    "cn",
    "givenName",
    "sn",
    "o",
    "company",
    "ou",
    "department",
    "title",
    "ipPhone",
    "telephoneNumber",
    "otherTelephone",
    "mobile",
    "homePhone",
];

/// Makes a person of an entry's attributes; several values of one attribute are several pairs.
pub fn person<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)> + Clone) -> Option<Person> {
    let first = |names: &[&str]| {
        names.iter().find_map(|wanted| {
            let mut all = attributes.clone().into_iter();
            all.find(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.trim().is_empty())
                .map(|(_, value)| value.to_owned())
        })
    };
    let text = |names: &[&str]| Text::new(&first(names).unwrap_or_default());
    let called = || {
        let parts = [first(&["givenName"]), first(&["sn"])];
        Text::new(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    };
    let name = text(&["displayName", "cn"]);
    let mut person = Person {
        name: if name.is_empty() { called() } else { name },
        organisation: text(&["company", "o"]),
        role: text(&["department", "ou", "title"]),
        ..Person::default()
    };
    let kinds = [
        ("ipPhone", Kind::Extension),
        ("telephoneNumber", Kind::Work),
        ("otherTelephone", Kind::Work),
        ("mobile", Kind::Mobile),
        ("homePhone", Kind::Home),
    ];
    for (wanted, kind) in kinds {
        for (_, value) in attributes.clone().into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
        {
            person.add(kind, value.trim());
        }
    }
    person.complete()
}
