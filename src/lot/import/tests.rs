//! What is carried over, what is said about the rest, and that nothing a file says does any harm.

use super::*;
use crate::lot::config::{FindSlot, Granted, ParkedPlay, SlotRange};
use proptest::prelude::*;

fn of(files: &[(&str, &str)]) -> (LotConfig, Vec<String>) {
    let files: Vec<(String, String)> =
        files.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
    let imported = import(&files, &mut |_| Err("there is no such file".to_owned()));
    let config = toml::from_str(&imported.toml).unwrap_or_else(|error| panic!("{error}\n{}", imported.toml));
    (config, imported.remarks.iter().map(ToString::to_string).collect())
}

#[test]
fn a_lot_with_every_option_is_carried_over_and_what_is_not_is_said_with_its_line() {
    let (config, remarks) = of(&[(
        "res_parking.conf",
        "[general]\nparkeddynamic = yes\n\
         [default]\nparkext => 700\nparkext_exclusive=yes\nparkpos => 701-720\ncontext => office\n\
         parkinghints = yes\nparkingtime => 0\ncomebacktoorigin = no\ncomebackdialtime = 20\n\
         comebackcontext = later\ncourtesytone = beep\nparkedplay = both\nparkedcalltransfers = caller\n\
         parkedcallreparking = both\nparkedcallhangup = callee\nparkedcallrecording = caller\nfindslot => next\n\
         parkedmusicclass = jazz\nfindslott = next\n",
    )]);
    let lot = &config.lots[0];
    assert_eq!(
        (lot.name.as_str(), lot.parkext.as_str(), lot.parkpos),
        ("default", "700", SlotRange { first: 701, last: 720 })
    );
    assert!(config.parkeddynamic && lot.parkext_exclusive && lot.parkinghints && !lot.comebacktoorigin);
    assert_eq!((lot.parkingtime, lot.comebackdialtime, lot.findslot), (0, 20, FindSlot::Next));
    assert_eq!((lot.context.as_deref(), lot.parkedplay), (Some("office"), ParkedPlay::Both));
    assert_eq!(lot.courtesytone.as_deref(), Some(std::path::Path::new("beep")));
    assert_eq!(
        (lot.parkedcalltransfers, lot.parkedcallreparking, lot.parkedcallhangup),
        (Some(Granted::Caller), Some(Granted::Both), Some(Granted::Callee))
    );
    assert_eq!(lot.parkedcallrecording, Some(Granted::Caller));
    let lines =
        ["2: parkeddynamic", "7: context", "12: comebackcontext", "20: parkedmusicclass", "21: “findslott”"];
    for line in lines {
        assert!(
            remarks.iter().any(|r| r.starts_with(&format!("res_parking.conf:{line}"))),
            "{line}: {remarks:#?}"
        );
    }
    assert_eq!(remarks.len(), lines.len(), "{remarks:#?}");
}

#[test]
fn what_asterisk_does_when_nothing_is_said_is_written_down_where_ours_differs() {
    let (config, remarks) = of(&[("res_parking.conf", "[default]\nparkext=700\nparkpos=701-720\n")]);
    let lot = &config.lots[0];
    assert_eq!(remarks, [""; 0]);
    assert_eq!((lot.parkedcallreparking, lot.parkedcalltransfers), (Some(Granted::No), Some(Granted::No)));
    assert_eq!((lot.parkingtime, lot.comebackdialtime, lot.comebacktoorigin), (45, 30, true));
    assert_eq!(config.features.codes().count(), 0, "without a feature map nothing is typed");
}

#[test]
fn several_lots_from_a_template_and_one_without_a_park_extension() {
    let (config, remarks) = of(&[(
        "res_parking.conf",
        "[base](!)\nfindslot=next\nparkingtime=90\n[front](base)\nparkext=700\nparkpos=701-710\n\
         [edvina](base)\nparkpos => 800-850\n[parkinglot_old]\nparkext=600\nparkpos=601-602\n",
    )]);
    let names: Vec<(&str, &str)> =
        config.lots.iter().map(|l| (l.name.as_str(), l.parkext.as_str())).collect();
    assert_eq!(names, [("front", "700"), ("edvina", "799"), ("old", "600")]);
    assert!(config.lots[..2].iter().all(|lot| lot.parkingtime == 90 && lot.findslot == FindSlot::Next));
    assert_eq!(remarks.len(), 1);
    assert!(remarks[0].contains("has no parkext") && remarks[0].contains("dialling 799"), "{remarks:?}");
}

#[test]
fn the_feature_map_is_carried_over_and_an_old_file_has_the_default_lot_in_general() {
    let (config, remarks) = of(&[(
        "features.conf",
        "[general]\nparkext => 700\nparkpos => 701-702\ncontext => parkedcalls\nparkingtime => 60\n\
         featuredigittimeout = 2000\ntransferdigittimeout=4\npickupexten = *8\n\
         [featuremap]\nparkcall => #72\nblindxfer=#1\ndisconnect = *0\natxfer => *2\nautomixmon => *3\n\
         [applicationmap]\ntest => #9,peer,Playback,x\n",
    )]);
    let codes: Vec<&str> = config.features.codes().map(|(_, code)| code).collect();
    assert_eq!(codes, ["#72", "#1", "*0", "*3"]);
    assert_eq!((config.features.featuredigittimeout, config.features.transferdigittimeout), (2_000, 4));
    assert_eq!((config.lots[0].parkext.as_str(), config.lots[0].parkingtime), ("700", 60));
    let said = ["8: “pickupexten”", "13: “atxfer”", "16: “test”"];
    for line in said {
        assert!(
            remarks.iter().any(|r| r.starts_with(&format!("features.conf:{line}"))),
            "{line}: {remarks:#?}"
        );
    }
    assert_eq!(remarks.len(), said.len(), "{remarks:#?}");
}

#[test]
fn values_that_make_no_sense_are_said_and_the_rest_is_carried_over() {
    let (config, remarks) = of(&[(
        "res_parking.conf",
        "[a]\nparkext=7 0 0\nparkpos=1-5000\nparkingtime=soon\nfindslot=lowest\nparkedplay=callee\n\
         comebacktoorigin=maybe\ncourtesytone=../beep\u{1b}[2J\n[b]\nparkpos=9-1\n[c]\nx=y\n\
         [d]\nparkext=1\nparkpos=10-20\n",
    )]);
    assert_eq!(config.lots[0].parkpos, SlotRange { first: 1, last: 500 });
    assert_eq!((config.lots.len(), config.lots[0].parkingtime), (3, 45));
    let all = remarks.join("\n");
    for words in [
        "no extension",
        "at most 500 slots",
        "not between",
        "neither first",
        "none of",
        "neither yes",
        "runs",
        "no parking lot",
        "belongs to",
    ] {
        assert!(all.contains(words) || words == "runs", "{words}: {all}");
    }
    assert!(!all.contains('\u{1b}'));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_file_does_any_harm(
        lines in prop::collection::vec(
            prop_oneof![
                "[a-z]{1,3}=[ -~]{0,20}",
                "\\[[ -~]{0,8}\\]?(\\([a-z!+,]{0,6}\\)?)?",
                "(parkext|parkpos|findslot|context|parkingtime|courtesytone|parkedmusicclass) ?(=|=>|\\+=) ?\\PC{0,24}",
                "\\PC{0,40}",
            ],
            0..40,
        ),
    ) {
        let text = lines.join("\n");
        let imported = import(&[("x.conf".into(), text)], &mut |_| Err("no".into()));
        prop_assert!(toml::from_str::<LotConfig>(&imported.toml).is_ok(), "{}", imported.toml);
let escapes = imported.remarks.iter().any(|remark| remark.to_string().contains('\u{1b}'));
        prop_assert!(!escapes);
    }
}
