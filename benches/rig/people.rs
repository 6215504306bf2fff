//! People for the benchmarks: made up from a seed, with names as common as in a telephone book.

use parkdeck::directory::{Kind, Person};

/// How many.
pub const PEOPLE: u64 = 50_000;

const GIVEN: [&str; 24] = [
    "Jane",
    "Peter",
    "María",
    "Łukasz",
    "Sam",
    "Ann",
    "Harold",
    "Zoë",
    "Jürgen",
    "Siobhán",
    "Mohammed",
    "Olga",
    "François",
    "Ingrid",
    "Raj",
    "Chloé",
    "Tomáš",
    "Bjørn",
    "Aisha",
    "Wei",
    "José",
    "Ewa",
    "Liam",
    "Nuria",
];
const FAMILY: [&str; 32] = [
    "Smith",
    "Doe",
    "Walsh",
    "Patel",
    "López",
    "Green",
    "Müller",
    "Żółkiewski",
    "O’Brien",
    "Nguyen",
    "Andersen",
    "Rossi",
    "Novák",
    "Kowalski",
    "Hill",
    "Hillary",
    "Khan",
    "Fernández",
    "Dubois",
    "Schmidt",
    "Jones",
    "Taylor",
    "Brown",
    "Davies",
    "Evans",
    "Wilson",
    "Thomas",
    "Roberts",
    "Johnson",
    "Lewis",
    "Walker",
    "Robinson",
];
const FIRMS: [&str; 12] = [
    "Acme Ltd",
    "Brightside Dental",
    "Northern Freight",
    "Müller & Söhne",
    "Castle Estates",
    "Harbour Foods",
    "Lindqvist AB",
    "Peak Insurance",
    "Stone & Sons",
    "Vale Motors",
    "Weaver Textiles",
    "Yarrow Care",
];

/// All of them, with a number at work and a mobile one each.
pub fn made_up() -> Vec<Person> {
    let mut seed = 7_u64;
    let mut next = move |most: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    (0..PEOPLE)
        .map(|nth| {
            let name = format!("{} {}{}", GIVEN[next(24)], FAMILY[next(32)], ["", "-Gray", " Jr"][next(3)]);
            let mut person = Person {
                name: name.as_str().into(),
                organisation: FIRMS[next(12)].into(),
                ..Person::default()
            };
            person.add(Kind::Work, &format!("0161 4{:02} {:04}", 90 + next(10), next(10_000)));
            person.add(Kind::Mobile, &format!("+44 7700 {nth:06}"));
            person
        })
        .collect()
}
