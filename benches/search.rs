//! What a key costs while somebody types a name, with 50,000 people in the directory.
//!
//! Run: `cargo bench --bench search`. No terminal, network or file is needed: the people are made up from a seed, with
//! names as common as in a telephone book.
//!
//! - *made*: the directory from people already read, once at the start and after each change of a file.
//! - *search*: `Directory::search` for eight rows, as the type-ahead of dial and transfer asks. Below 5 ms at p99 for every
//!   one of them; a key to a finished picture has 8 ms.
//! - *who calls*: `Directory::match_number`, once for each number that comes to the board.
//!
//! Times are of one thread by the wall clock. p99 suffers from neighbours: mind the load average.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "rig/figures.rs"]
#[allow(dead_code)]
mod figures;

use figures::{Samples, machine};
use parkdeck::directory::{Country, Directory, Kind, Person};
use std::hint::black_box;
use std::time::Instant;

const PEOPLE: u64 = 50_000;
const ROUNDS: usize = 300;

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

fn main() {
    println!("\nsearch among {PEOPLE} people · {}\n", machine());
    let people = made_up();
    let began = Instant::now();
    let directory = Directory::new(people, Country::new("GB"));
    println!("made in {} ms: {} people\n", began.elapsed().as_millis(), directory.len());
    println!("{:<34}{:>10}{:>10}{:>10}", "ms", "found", "p50", "p99");
    for typed in [
        "j",
        "ja",
        "jane",
        "jane do",
        "acme ja",
        "mull",
        "zolk",
        "jnae",
        "hilary acme",
        "xyzzy",
        "0161",
        "4960123",
        "4",
    ] {
        let found = directory.search(typed, 8).len();
        let samples = timed(|| drop(black_box(directory.search(typed, 8))));
        row(&format!("search “{typed}”"), &found.to_string(), &samples);
    }
    let samples = timed(|| drop(black_box(directory.match_number("+441614960123"))));
    row("who calls from +441614960123", "", &samples);
}

fn timed(mut work: impl FnMut()) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        work();
        samples.add(began.elapsed());
    }
    samples
}

fn row(name: &str, found: &str, samples: &Samples) {
    println!("{name:<34}{found:>10}{:>10.3}{:>10.3}", samples.p50_ms(), samples.p99_ms());
}

fn made_up() -> Vec<Person> {
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
