//! Who is found by what is typed, who is named for which number, and what hostile files do.

use super::read::read;
use super::*;

fn person(name: &str, organisation: &str, numbers: &[(Kind, &str)]) -> Person {
    let mut person = Person { name: name.into(), organisation: organisation.into(), ..Person::default() };
    numbers.iter().for_each(|(kind, number)| person.add(*kind, number));
    person
}

fn office() -> Directory {
    let people = [
        person("Jane Doe", "Acme Ltd", &[(Kind::Work, "0161 496 0100"), (Kind::Mobile, "07700 900123")]),
        person("Łukasz Żółkiewski", "Müller & Söhne", &[(Kind::Work, "+49 30 123456")]),
        person("Sam Hill", "", &[(Kind::Extension, "101"), (Kind::Voicemail, "*97101")]),
        person("Samantha Jane Hillary", "Acme Ltd", &[(Kind::Work, "+44 (0)161 496 0177")]),
        person("Acme Ltd", "", &[(Kind::Work, "0161 496 0100")]),
        person("Ann Lee", "", &[(Kind::Extension, "105")]),
    ];
    Directory::new(people, Country::new("gb"))
}

fn names(directory: &Directory, typed: &str) -> Vec<String> {
    let hits = directory.search(typed, 10);
    hits.iter().map(|hit| directory.person(hit.person).unwrap().name.to_string()).collect()
}

#[test]
fn words_are_found_by_their_beginnings_in_any_order_whatever_their_accents() {
    let office = office();
    assert_eq!(names(&office, "jan"), ["Jane Doe", "Samantha Jane Hillary"], "a first name comes first");
    assert_eq!(names(&office, "acme ja"), ["Jane Doe", "Samantha Jane Hillary"]);
    assert_eq!(names(&office, "ZOLK"), ["Łukasz Żółkiewski"]);
    assert_eq!(names(&office, "lukasz soh")[0], "Łukasz Żółkiewski");
    assert_eq!(names(&office, "żół")[0], "Łukasz Żółkiewski");
    assert_eq!(names(&office, "  "), Vec::<String>::new());
    assert_eq!(names(&office, "\u{202e}\u{0}"), Vec::<String>::new());
}

#[test]
fn a_slip_of_the_finger_finds_the_name_all_the_same() {
    let office = office();
    assert_eq!(names(&office, "hilary")[0], "Samantha Jane Hillary");
    assert_eq!(names(&office, "zolkewski"), ["Łukasz Żółkiewski"]);
    assert_eq!(names(&office, "jdoe")[0], "Jane Doe");
    assert!(names(&office, "xyzzy").is_empty());
}

#[test]
fn digits_are_found_anywhere_and_name_the_number() {
    let office = office();
    let hits = office.search("900123", 5);
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].number, Some(1), "the mobile phone is the one that has them");
    assert_eq!(names(&office, "07700"), ["Jane Doe"]);
    assert_eq!(names(&office, "44161496")[..2], ["Acme Ltd", "Jane Doe"]);
    assert_eq!(names(&office, "10"), ["Ann Lee", "Sam Hill"], "extensions by their beginning");
}

#[test]
fn a_caller_is_known_however_his_number_is_written() {
    let office = office();
    let named = |number: &str| office.match_number(number).map(|m| m.name.to_string());
    for written in ["07700900123", "+447700900123", "00447700900123", "sip:+447700900123@carrier;user=phone"]
    {
        assert_eq!(named(written).as_deref(), Some("Jane Doe"), "{written}");
    }
    assert_eq!(named("+4930123456").as_deref(), Some("Łukasz Żółkiewski"));
    assert_eq!(named("01614960177").as_deref(), Some("Samantha Jane Hillary"));
    assert_eq!(named("101").as_deref(), Some("Sam Hill"));
    for nobody in ["", "anonymous", "0101", "7700900123999", "*97101", &"9".repeat(5_000)] {
        assert_eq!(named(nobody), None, "{nobody}");
    }
}

#[test]
fn a_number_of_several_is_nobodys_alone() {
    let office = office();
    let found = office.match_number("01614960100").unwrap();
    assert_eq!(found.name.as_str(), "Acme Ltd or Jane Doe");
    let colleagues = ["A", "B", "C"].map(|name| person(name, "Acme Ltd", &[(Kind::Work, "0161 496 0100")]));
    let found = Directory::new(colleagues, Country::new("GB")).match_number("01614960100").unwrap();
    assert_eq!(found.name.as_str(), "Acme Ltd");
}

#[test]
fn a_table_is_read_by_its_headings() {
    let table = "Number;Name;Firma;Mobile\n101;Sam Hill;x;\"07700 900123\"\n;Nobody;;\n102;\"Lee; Ann\";;\n";
    let read = read("staff.csv", table.as_bytes()).unwrap();
    let names: Vec<&str> = read.people.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["Sam Hill", "Lee; Ann"]);
    assert_eq!(read.people[0].numbers[1], Number { kind: Kind::Mobile, written: "07700 900123".into() });
    let google = "First Name,Last Name,Organization Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n\
                  Jane,Doe,Acme,Mobile,07700 900123 ::: 07700 900124,Work,0161 496 0100\n";
    let jane = &super::read::read("contacts.csv", google.as_bytes()).unwrap().people[0];
    assert_eq!((jane.name.as_str(), jane.numbers.len()), ("Jane Doe", 3));
    let refused = super::read::read("x.csv", b"a,b\n1,2\n").unwrap_err();
    assert!(refused.contains("“name”"), "{refused}");
    let western = super::read::read("x.csv", b"name,number\nM\xfcller,1\n").unwrap();
    assert_eq!(western.people[0].name.as_str(), "Müller");
}

#[test]
fn cards_of_every_version_are_read() {
    let cards = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Jane \r\n Doe\r\nORG:Acme\\, Ltd;Sales\r\n\
        item1.TEL;VALUE=uri;TYPE=\"voice,cell\":tel:+44-7700-900123;ext=5\r\nTEL;TYPE=fax:1\r\nEND:VCARD\r\n\
        BEGIN:VCARD\nVERSION:3.0\nN:Hill;Sam;;Dr.;\nTEL;TYPE=HOME:020\\;1\nTEL;TYPE=WORK,PREF:101\nEND:VCARD\n\
        BEGIN:VCARD\nVERSION:2.1\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen =\nM=C3=BCller\n\
        TEL;CELL:5\nEND:VCARD\nBEGIN:VCARD\nFN:Lost";
    let read = read("team.vcf", cards.as_bytes()).unwrap();
    let names: Vec<&str> = read.people.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["Jane Doe", "Dr. Sam Hill", "Jürgen Müller"]);
    let jane = &read.people[0];
    assert_eq!((jane.organisation.as_str(), jane.role.as_str()), ("Acme, Ltd", "Sales"));
    assert_eq!(jane.numbers, [Number { kind: Kind::Mobile, written: "+44-7700-900123".into() }]);
    assert_eq!(read.people[1].numbers[0].written.as_str(), "101", "the preferred number is first");
    assert_eq!(read.complaints.len(), 1, "{:?}", read.complaints);
}

#[test]
fn people_in_toml_are_read_strictly() {
    let file = "[[people]]\nname = \"Sam Hill\"\nextension = \"101\"\nmobile = [\"1\", \"2\"]\n[[people]]\nname = \"x\"\n";
    let read = read("people.toml", file.as_bytes()).unwrap();
    assert_eq!((read.people.len(), read.people[0].numbers.len()), (1, 3));
    assert_eq!(read.complaints, ["entry 2 needs a name and a number"]);
    let wrong = super::read::read("people.toml", b"[[people]]\nname = \"x\"\nfon = \"1\"\n").unwrap_err();
    assert!(wrong.starts_with("line 3: unknown field `fon`"), "{wrong}");
}

#[test]
fn a_hostile_file_costs_its_lines_and_nothing_else() {
    let hostile = format!("name,number\n\"{}\x1b[2J\u{202e}evil\",\x1b]52;c;1\n", "x".repeat(100_000));
    let read = read("x.csv", hostile.as_bytes()).unwrap();
    let all = format!("{:?}", read.people);
    assert!(!all.contains('\u{1b}') && !all.contains('\u{202e}') && all.len() < 2_000, "{all}");
    for name in ["x.csv", "x.vcf", "x.toml"] {
        let mut seed = 7u64;
        let noise: Vec<u8> = (0..20_000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b"\n\r:;,=\"\\BEGIN:VCARD\xff\xfe\x00[]"[(seed >> 33) as usize % 24]
            })
            .collect();
        let _ = super::read::read(name, &noise);
    }
    assert!(super::read::read("x.exe", b"").is_err());
}

#[test]
fn more_people_than_there_is_room_for_are_told() {
    let people = (0..MAX_ENTRIES + 3).map(|n| person(&format!("P{n}"), "", &[(Kind::Work, "1")]));
    let directory = Directory::new(people, None);
    assert_eq!((directory.len(), directory.left_out()), (MAX_ENTRIES, 3));
}
