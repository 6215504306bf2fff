//! The directory on the board: who calls, and type-ahead where a number is asked for.

use crate::desks::*;
use parkdeck::console::Console;
use parkdeck::desk::*;
use parkdeck::directory::{Country, Directory, Kind, Person};
use std::sync::Arc;

macro_rules! picture {
    ($name:expr, $screen:expr) => {
        insta::with_settings!({
            snapshot_path => ".",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $screen) })
    };
}

fn somebody(name: &str, about: &str, numbers: &[(Kind, &str)]) -> Person {
    let mut person = Person { name: name.into(), organisation: about.into(), ..Person::default() };
    numbers.iter().for_each(|(kind, number)| person.add(*kind, number));
    person
}

fn directory() -> Arc<Directory> {
    let people = [
        somebody("Jane Doe", "Acme Ltd", &[(Kind::Work, "0161 496 0100"), (Kind::Mobile, "07700 900 100")]),
        somebody("Sam Hill", "Bay 3", &[(Kind::Extension, "101"), (Kind::Mobile, "07700 900 101")]),
        somebody("Samantha Żółkiewska", "Northern Freight", &[(Kind::Work, "+44 20 7946 0018")]),
        somebody("山田太郎", "Yamada 株式会社", &[(Kind::Work, "+81 3 1234 5678")]),
    ];
    Arc::new(Directory::new(people, Country::new("GB")))
}

fn known() -> (Desk, Console) {
    let mut console = console();
    console.set_directory(directory());
    let mut desk = busy();
    let now = desk.now;
    desk.learn(now, Event::DirectoryChanged { people: directory().len() });
    for number in desk.unnamed() {
        let found = directory().match_number(number.as_str());
        let known = found.map(|found| Known { name: found.name, about: found.about });
        desk.learn(now, Event::named(number, known));
    }
    (desk, console)
}

#[test]
fn type_ahead_shows_who_is_meant_before_the_key_is_pressed() {
    let (desk, mut console) = known();
    type_keys(&mut console, &mut desk.clone(), "t s a m");
    picture!("overlay_transfer_found_80", screen(&desk, &console, &dark(), 80, 24));
    let to = |console: &mut Console, keys: &str| type_keys(console, &mut desk.clone(), keys);
    assert_eq!(to(&mut console, "enter"), vec![Command::Transfer { to: "101".into() }]);
    assert_eq!(to(&mut console, "t z o l enter"), vec![Command::Transfer { to: "+442079460018".into() }]);
    assert_eq!(to(&mut console, "d s a m down enter"), vec![Command::Dial("07700900101".into())]);
    assert_eq!(to(&mut console, "d s a m up enter"), vec![Command::Dial("sam".into())]);
    assert_eq!(to(&mut console, "d 1 0 1 enter"), vec![Command::Dial("101".into())]);
    assert_eq!(to(&mut console, "d 1 0 down enter"), vec![Command::Dial("101".into())]);
}

#[test]
fn a_caller_has_the_directorys_name_and_the_networks_beside_it() {
    let (mut desk, console) = known();
    let call = desk.calls.iter_mut().find(|call| call.party.name.as_str() == "Jane Doe").unwrap();
    call.party.name = "ACME SWITCHBOARD".into();
    call.party.number = "01614960100".into();
    call.note = parkdeck::parking::Text::default();
    let (id, now) = (call.id, desk.now);
    for number in desk.unnamed() {
        let found = directory().match_number(number.as_str());
        let known = found.map(|found| Known { name: found.name, about: found.about });
        desk.learn(now, Event::named(number, known));
    }
    let party = desk.call(id).unwrap().party.clone();
    assert_eq!((desk.label(&party), desk.network_name(&party)), ("Jane Doe", Some("ACME SWITCHBOARD")));
    let wide = screen(&desk, &console, &dark(), 160, 50);
    let row = wide.lines().position(|line| line.contains("Jane Doe")).unwrap();
    let rows = wide.lines().skip(row).take(2).collect::<String>();
    assert!(rows.contains("Acme Ltd") && rows.contains("sends “ACME SWITCHBOARD”"), "{rows}");
    desk.learn(now, Event::DirectoryChanged { people: 0 });
    assert_eq!(desk.label(&party), "ACME SWITCHBOARD", "what the network says is never overwritten");
}

#[test]
fn what_a_watched_colleague_does_stands_in_his_row_before_any_key_hands_over() {
    let (mut desk, mut console) = known();
    let who = parkdeck::parking::Identity::new("Sam", "101");
    let (line, since, caller) = (LineId(0), ago(9), parkdeck::parking::Identity::default());
    desk.staff = vec![Colleague { line, who, lamp: StaffLamp::Talking, since, caller }];
    for keys in ["t s a m", "d s a m"] {
        let mut fresh = console.clone();
        type_keys(&mut fresh, &mut desk.clone(), keys);
        let shown = screen(&desk, &fresh, &dark(), 80, 24);
        let rows: Vec<&str> = shown.lines().filter(|line| line.contains("Sam Hill")).collect();
        let of_extension = rows.iter().filter(|row| row.contains("● talking")).count();
        assert_eq!(of_extension, 1, "his phone, and not his mobile:\n{shown}");
    }
    desk.staff[0].lamp = StaffLamp::Free;
    type_keys(&mut console, &mut desk.clone(), "t s a m");
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("○ free"));
}
