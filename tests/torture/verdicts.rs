//! The verdicts: file, what becomes of it, and why. Section numbers are those of RFC 4475.
//!
//! What is understood reads: start line | branches, topmost first | From | To | CSeq number | Contacts | bytes of body.
//! A `…` at the end leaves the rest open.

use Verdict::{Dropped, Read, Refused, Unanswerable};

/// What becomes of a message.
pub enum Verdict {
    /// Read, and this is understood of it.
    Read(&'static str),
    /// Answered with that status, for that reason.
    Refused(u16, &'static str),
    /// Would be answered so, but nobody could match the answer.
    Unanswerable(u16, &'static str),
    /// Never answered.
    Dropped(&'static str),
}

#[rustfmt::skip]
pub const VERDICTS: &[(&str, Verdict, &str)] = &[
    (
        "valid/dblreq",
        Read("REGISTER sip:example.com | via z9hG4bKkdjuw23492 | <sip:j.user@example.com>;tag=43251j3j324 | <sip:j.user@example.com> | 8 | <sip:j.user@host.example.com> | 0"),
        "3.1.1.8: the second request is behind Content-Length and dropped",
    ),
    (
        "valid/esc01",
        Read("INVITE sip:sips%3Auser%40example.com@example.net | via z9hG4bKkdjuw | <sip:I%20have%20spaces@example.net>;tag=938 | <sip:user@example.com> | 234234 | <sip:caller@host5.example.net;lr;name=value%2541> | 150"),
        "3.1.1.3: escapes are resolved once; %6C%72 is lr, %25%34%31 is the text %41",
    ),
    (
        "valid/esc02",
        Read(r#"RE%47IST%45R sip:registrar.example.com | via z9hG4bK209%fzsnel234 | "%Z%45" <sip:resource@example.com>;tag=f232jadfj23 | "%Z%45" <sip:resource@example.com> | 29344 | <sip:alias1@host1.example.com>, <sip:alias3@host3.example.com> | 0"#),
        "3.1.1.5: names and methods have no escapes; C%6Fntact is no Contact, RE%47IST%45R no REGISTER: 501",
    ),
    (
        "valid/escnull",
        Read("REGISTER sip:example.com | via z9hG4bKkdjuw | <sip:null-%00-null@example.com>;tag=839923423 | <sip:null-%00-null@example.com> | 14398234 | <sip:%00@host5.example.com>, <sip:%00%00@host5.example.com> | 0"),
        "3.1.1.4: NUL may be escaped in a URI, and stays in its place",
    ),
    (
        "valid/intmeth",
        Read("!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com | via z9hG4bK-.!%66*_+`'~ | \"token1~` token2'+_ token3*%!.-\" <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-. | \"BEL:\\\u{7} NUL:\\\0 DEL:\\\u{7f}\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com> | 139122385 |  | 0"),
        "3.1.1.2: every character that may stand somewhere stands there; the user part holds ; ? and /",
    ),
    (
        "valid/longreq",
        Read("INVITE sip:user@example.com | via - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - verylonglonglonglonglonglonglonglonglonglonglonglo…"),
        "3.1.1.7: long values and 34 Vias in every spelling; nothing is cut",
    ),
    (
        "valid/lwsdisp",
        Read(r#"OPTIONS sip:user@example.com | via z9hG4bKkdjuw | "caller" <sip:caller@example.com>;tag=323 | <sip:user@example.com> | 60 |  | 0"#),
        "3.1.1.6: no blank between display name and bracket",
    ),
    (
        "valid/mpart01",
        Read("MESSAGE sip:kumiko@example.org | via z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543- | <sip:fluffy@example.com>;tag=2fb0dcc9 | <sip:kumiko@example.org> | 1 | <sip:fluffy@127.0.0.1:5070> | 553"),
        "3.1.1.11: a body with NULs, kept as bytes",
    ),
    (
        "valid/noreason",
        Read("100  | via z9hG4bK2398ndaoe | <sip:user@example.com>;tag=39ansfi3 | <sip:user@example.edu>;tag=902jndnke3 | 35 | <sip:user@host105.example.com> | 0"),
        "3.1.1.13: an empty reason phrase",
    ),
    (
        "valid/semiuri",
        Read("OPTIONS sip:user;par=u%40example.net@example.com | via z9hG4bKkdjuw | <sip:caller@example.org>;tag=33242 | <sip:j_user@example.com> | 8 |  | 0"),
        "3.1.1.9: the semicolon belongs to the user part",
    ),
    (
        "valid/transports",
        Read("OPTIONS sip:user@example.com | via z9hG4bKkdjuw z9hG4bKklasjdhf z9hG4bK2980unddj z9hG4bKasd0f3en z9hG4bK0a9idfnee | <sip:caller@example.com>;tag=323 | <sip:user@example.com> | 60 |  | 0"),
        "3.1.1.10: unknown transports in Vias below",
    ),
    (
        "valid/unreason",
        Read("200 = 2**3 * 5**2 но сто девяносто девять - простое | via z9hG4bK1324923 | <sip:user@example.com>;tag=11141343 | <sip:user@example.edu>;tag=2229 | 35 | <sip:user@host198.example.com> | 154"),
        "3.1.1.12: a reason phrase in Russian",
    ),
    (
        "valid/wsinv",
        Read(r#"INVITE sip:vivekg@chair-dnrc.example.com;unknownparam | via 390skdjuw z9hG4bK9ikj8 z9hG4bK30239 | "J Rosenberg \\\"" <sip:jdrosen@example.com>;tag=98asjd8 | <sip:vivekg@chair-dnrc.example.com>;tag=1918181833n | 9 | "Quoted string \"\"" <sip:jdrosen@example.com>;newparam=newvalue;secondparam;q=0.33 | 150"#),
        "3.1.1.1: blanks and folds wherever they may be; compact names; leading zeros",
    ),
    (
        "invalid/badaspec",
        Read(r#"OPTIONS sip:user@example.org | via z9hG4bKkdju43234 | "Bell, Alexander" <sip:a.g.bell@example.com>;tag=433423 | "Watson, Thomas" <sip:t.watson@example.org> | 3923239 |  | 0"#),
        "3.1.2.14: blanks in the brackets; the liberal reading is unambiguous",
    ),
    ("invalid/badbranch", Refused(400, "the branch has no identifier"),
        "3.2.1: the magic cookie with no identifier behind it"),
    (
        "invalid/baddate",
        Read("INVITE sip:user@example.com | via z9hG4bKkdjuw | <sip:caller@example.net>;tag=2234923 | <sip:user@example.com> | 1392934 | <sip:caller@host5.example.net> | 150"),
        "3.1.2.12: a Date that we never use is no reason to lose a call",
    ),
    ("invalid/baddn", Refused(400, "the headers never end"),
        "3.1.2.15: an unquoted comma could be guessed at, but this copy has no empty line either"),
    ("invalid/badinv01", Refused(400, "Via can't be read"),
        "3.1.2.1: a Via list of nothing but separators"),
    ("invalid/badvers", Refused(505, "not SIP/2.0"),
        "3.1.2.16: another version"),
    (
        "invalid/bcast",
        Read("200 OK | via z9hG4bK1324923 z9hG4bK1saber23 | <sip:user@example.com>;tag=11141343 | <sip:user@example.edu>;tag=2229 | 35 | <sip:user@host28.example.com> | 154"),
        "3.3.10: read; the transaction layer drops it, for the second Via is not ours",
    ),
    (
        "invalid/bext01",
        Read("OPTIONS sip:user@example.com | via z9hG4bKkdjuw | <sip:caller@example.net>;tag=242etr | <sip:j_user@example.com> | 8 |  | 0"),
        "3.3.5: read; the user agent answers 420 with Unsupported",
    ),
    ("invalid/bigcode", Dropped("the status code isn't one"),
        "3.1.2.19: a status code that overflows to 200-odd if one is careless"),
    ("invalid/clerr", Refused(400, "the body is shorter than Content-Length"),
        "3.1.2.2: Content-Length beyond the datagram (RFC 3261 18.3)"),
    (
        "invalid/cparam01",
        Read("REGISTER sip:example.com | via z9hG4bKkdjuw | <sip:watson@example.com>;tag=DkfVgjkrtMwaerKKpe | <sip:watson@example.com> | 2 | <sip:+19725552222@gw1.example.net>;unknownparam | 0"),
        "3.3.12: without brackets the parameter is the Contact’s",
    ),
    (
        "invalid/cparam02",
        Read("REGISTER sip:example.com | via z9hG4bKkdjuw | <sip:watson@example.com>;tag=838293 | <sip:watson@example.com> | 3 | <sip:+19725552222@gw1.example.net;unknownparam> | 0"),
        "3.3.13: in brackets it is the URI’s",
    ),
    ("invalid/escruri", Refused(400, "the Request-URI has headers"),
        "3.1.2.11: headers in a Request-URI"),
    ("invalid/insuf", Unanswerable(400, "From is missing or can't be read"),
        "3.3.1: no From, To, Call-ID: nobody could match the answer"),
    (
        "invalid/inv2543",
        Read("INVITE sip:UserB@example.com | via - | <sip:+13035551111@ift.client.example.net;user=phone> | <sip:+16505552222@ss1.example.net>;user=phone | 56 |  | 105"),
        "3.4.1: RFC 2543, without a branch; the transaction is matched the old way",
    ),
    (
        "invalid/invut",
        Read("INVITE sip:user@example.com | via z9hG4bKkdjuw | <sip:caller@example.net>;tag=8392034 | <sip:j.user@example.com> | 235448 | <sip:caller@host5.example.net> | 40"),
        "3.3.6: read; the user agent answers 415 with Accept",
    ),
    ("invalid/ltgtruri", Refused(400, "the Request-URI can't be read"),
        "3.1.2.7: a Request-URI in brackets"),
    ("invalid/lwsruri", Refused(400, "blanks in the request line"),
        "3.1.2.8: a blank in the Request-URI"),
    ("invalid/lwsstart", Refused(400, "blanks in the request line"),
        "3.1.2.9: two blanks; nobody can say where an empty URI would end"),
    ("invalid/mcl01", Refused(400, "more than one Content-Length"),
        "3.3.9: two lengths, neither is believed"),
    ("invalid/mismatch01", Refused(400, "CSeq names another method"),
        "3.1.2.17: request line and CSeq disagree"),
    (
        "invalid/mismatch02",
        Refused(501, "CSeq names another method, and the request's isn't known"),
        "3.1.2.18: the same with an unknown method",
    ),
    ("invalid/multi01", Refused(400, "a header that may stand once stands twice"),
        "3.3.8: From, To, Call-ID, CSeq twice"),
    ("invalid/ncl", Refused(400, "Content-Length isn't a length"),
        "3.1.2.3: a negative length"),
    ("invalid/novelsc", Refused(416, "the Request-URI's scheme isn't known"),
        "3.3.3: a scheme for another protocol"),
    ("invalid/quotbal", Refused(400, "To is missing or can't be read"),
        "3.1.2.6: the quotation never ends"),
    (
        "invalid/regaut01",
        Read("REGISTER sip:example.com | via z9hG4bKkdjuw | <sip:j.user@example.com>;tag=87321hj23128 | <sip:j.user@example.com> | 9338 |  | 0"),
        "3.3.7: read; an unknown scheme counts as no credentials: 401",
    ),
    ("invalid/regbadct", Refused(400, "Contact can't be read"),
        "3.1.2.13: a ? in a Contact wants brackets"),
    (
        "invalid/regescrt",
        Read("REGISTER sip:example.com | via z9hG4bKkdjuw | <sip:user@example.com>;tag=8 | <sip:user@example.com> | 14398234 | <sip:user@example.com?Route=%3Csip:sip.example.com%3E> | 0"),
        "3.3.14: read; the registrar must not store the Route of the Contact",
    ),
    ("invalid/scalar02", Refused(400, "CSeq is missing or can't be read"),
        "3.1.2.4: numbers beyond 32 bits; CSeq decides"),
    ("invalid/scalarlg", Dropped("CSeq is missing or can't be read"),
        "3.1.2.5: the same in a response, which is dropped"),
    (
        "invalid/sdp01",
        Read("INVITE sip:user@example.com | via z9hG4bKkdjuw | <sip:caller@example.net>;tag=234 | <sip:j_user@example.com> | 8 | <sip:caller@host15.example.net> | 150"),
        "3.3.15: read; the user agent answers 406 with Accept",
    ),
    ("invalid/test", Dropped("the request line names no version of SIP"),
        "not of the RFC: no version in the request line, so it may be no SIP at all"),
    ("invalid/trws", Refused(400, "blanks behind the request line"),
        "3.1.2.10: blanks behind the version"),
    ("invalid/unkscm", Refused(416, "the Request-URI's scheme isn't known"),
        "3.3.2: a scheme nobody knows"),
    (
        "invalid/unksm2",
        Read("REGISTER sip:example.com | via z9hG4bKkdjuw | <http://www.example.com>;tag=3234233 | <isbn:2983792873> | 234902 | <name:John_Smith> | 0"),
        "3.3.4: read; the registrar answers 400, for isbn: is no address of record",
    ),
    (
        "invalid/zeromf",
        Read("OPTIONS sip:user@example.com | via z9hG4bKkdjuw2349i | <sip:caller@example.net>;tag=3ghsd41 | <sip:user@example.com> | 39234321 |  | 0"),
        "3.3.11: read; an endpoint takes no notice of Max-Forwards",
    ),
    (
        "real/asterisk-noccl-udp",
        Read(r#"MESSAGE sip:100@10.0.0.5 | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 |  | 28"#),
        "no Content-Length: the body is the rest of the datagram",
    ),
    (
        "real/compact",
        Read("INVITE sip:701@pbx.example | via z9hG4bKabc | <sip:100@pbx.example>;tag=a | <sip:701@pbx.example> | 1 | <sip:100@10.0.0.1:5060> | 0"),
        "compact names",
    ),
    (
        "real/folded-via",
        Read(r#"OPTIONS sip:100@10.0.0.5 | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 |  | 0"#),
        "a folded Via",
    ),
    (
        "real/ipv6",
        Read(r#"OPTIONS sip:[2001:db8::1]:5061;transport=tls | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 | <sips:100@[2001:db8::9]> | 0"#),
        "IPv6 in URI, Via and Contact; received without brackets",
    ),
    (
        "real/notify-di",
        Read(r#"NOTIFY sip:100@10.0.0.5 | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 | <sip:pbx.example> | 221"#),
        "a dialog-info body",
    ),
    (
        "real/refer-replaces",
        Read(r#"REFER sip:100@10.0.0.5 | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 | <sip:100@10.0.0.1:5060;transport=tls>;+sip.instance="<urn:uuid:1>" | 0"#),
        "an escaped Replaces in Refer-To, a quoted instance in Contact",
    ),
    (
        "real/sha256",
        Read(r#"401 Unauthorized | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 |  | 0"#),
        "SHA-256 in the challenge",
    ),
    (
        "real/telfrom",
        Read("INVITE sip:100@10.0.0.5 | via z9hG4bKabc | <tel:+15551234567;phone-context=x>;tag=a1 | <tel:+15557654321> | 1 |  | 0"),
        "tel: keeps its plus; Contact: * names no address",
    ),
    (
        "real/two401",
        Read(r#"401 Unauthorized | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 |  | 0"#),
        "two challenges",
    ),
    (
        "real/twovia",
        Read(r#"200 OK | via z9hG4bKq z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 | <sip:a@b;lr>;x=y | 0"#),
        "two Vias in one line",
    ),
    (
        "real/unknown-method",
        Read(r#"KDMQ sip:100@10.0.0.5 | via z9hG4bKabc | "Reception Desk" <sip:100@pbx.example>;tag=a1 | <sip:701@pbx.example> | 1 |  | 0"#),
        "an unknown method: read, answered with 501",
    ),
    (
        "real/utf8",
        Read(r#"INVITE sip:100@10.0.0.5 | via z9hG4bKabc | "Zoë Müller" <sip:zoe@pbx.example>;tag=a1 | "Ünï" <sip:100@pbx.example> | 1 | <sip:z@10.0.0.1>;expires=60, <sip:z@10.0.0.2>;q=0.5 | 0"#),
        "names beyond ASCII, quoted and not; two Contacts in one line",
    ),
];
