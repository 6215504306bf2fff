//! The reason phrases of status codes: rsip's names, put into words.

/// The reason phrase of `status`, in English.
pub fn reason_phrase(status: u16) -> String {
    let own = match status {
        // rsip has 201 for 202, and its names have lost the punctuation of these.
        202 => "Accepted",
        204 => "No Notification",
        481 => "Call/Transaction Does Not Exist",
        504 => "Server Time-out",
        606 => "Not Acceptable",
        _ => "",
    };
    if !own.is_empty() {
        return own.to_owned();
    }
    match rsip::StatusCode::from(status) {
        rsip::StatusCode::Other(..) => class(status).to_owned(),
        known => {
            let named = known.to_string();
            in_words(named.split_once(' ').map_or(named.as_str(), |(_, name)| name))
        }
    }
}

/// `NotFound` as `Not Found`, `OK` as it is.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && lower {
            words.push(' ');
        }
        lower = c.is_ascii_lowercase();
        words.push(c);
    }
    words
}

/// What to say of a status that nobody has named: its class (RFC 3261 7.2).
fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "Session Progress",
        2 => "OK",
        3 => "Redirection",
        4 => "Request Failure",
        5 => "Server Failure",
        6 => "Global Failure",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_those_of_the_rfcs() {
        for (status, phrase) in [
            (100, "Trying"),
            (183, "Session Progress"),
            (200, "OK"),
            (202, "Accepted"),
            (401, "Unauthorized"),
            (405, "Method Not Allowed"),
            (481, "Call/Transaction Does Not Exist"),
            (487, "Request Terminated"),
            (489, "Bad Event"),
            (606, "Not Acceptable"),
            (499, "Request Failure"),
        ] {
            assert_eq!(reason_phrase(status), phrase);
        }
    }
}
