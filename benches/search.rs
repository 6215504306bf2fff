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
#[path = "rig/people.rs"]
mod people;

use figures::{Samples, machine};
use parkdeck::directory::{Country, Directory};
use people::{PEOPLE, made_up};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 300;

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
