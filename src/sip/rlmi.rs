//! Resource lists (RFC 4662): one NOTIFY for many resources, an RLMI document and the state of each beside it. Read
//! within limits, lists inside lists too; what a gap in the versions means is decided elsewhere.

use super::{multipart, xml};
use std::fmt::Write as _;

/// The Content-Type of the document that names the others.
pub const CONTENT_TYPE: &str = "application/rlmi+xml";
/// What goes into Accept, beside the types of the single states.
pub const ACCEPT: &str = "multipart/related, application/rlmi+xml";
/// The option tag by which a subscriber says that it understands lists.
pub const OPTION_TAG: &str = "eventlist";
/// The most resources of a NOTIFY, those of inner lists included.
pub const MAX_RESOURCES: usize = 1_024;
/// The most instances of a resource.
const MAX_INSTANCES: usize = 16;
/// How deep lists may lie in lists.
pub const MAX_NESTING: usize = 4;

/// How an instance's subscription, which the server holds for us, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Its state is told.
    Active,
    /// It is not yet known whether it may be told.
    Pending,
    /// It is over.
    Terminated,
}

/// One instance of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance<'a> {
    /// The same for it in all documents.
    pub id: String,
    /// How it stands.
    pub state: InstanceState,
    /// Why it is over.
    pub reason: Option<String>,
    /// Its state's Content-Type and body, where this NOTIFY has one.
    pub content: Option<(String, &'a [u8])>,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Its URI.
    pub uri: String,
    /// Its instances; none means that the server has not yet asked for it.
    pub instances: Vec<Instance<'a>>,
}

/// What a NOTIFY says of one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<'a> {
    /// The list's URI.
    pub uri: String,
    /// One more in every NOTIFY.
    pub version: u32,
    /// Whether every resource is named, or only those that changed.
    pub full: bool,
    /// The resources.
    pub resources: Vec<Resource<'a>>,
}

/// Reads the body of a list's NOTIFY: the list asked for first, then those inside it.
pub fn read<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<List<'a>>, String> {
    let mut lists = Vec::new();
    read_into(&mut lists, content_type, body, 0)?;
    Ok(lists)
}

fn read_into<'a>(
    lists: &mut Vec<List<'a>>,
    content_type: &str,
    body: &'a [u8],
    depth: usize,
) -> Result<(), String> {
    if depth >= MAX_NESTING {
        return Err("lists lie too deep in lists".into());
    }
    let parts = multipart::read(content_type, body)?;
    // The root is named by `start`, else it is the first (RFC 2387 3.2).
    let start = multipart::parameter(content_type, "start");
    let start = start.as_deref().map(|s| s.trim_matches(['<', '>']));
    let root = match start {
        Some(start) => parts.iter().find(|part| part.content_id.as_deref() == Some(start)),
        None => parts.first(),
    };
    let root = root.filter(|part| multipart::is_type(&part.content_type, CONTENT_TYPE));
    let root = root.ok_or("the parts have no list among them")?;
    let document = xml::read(root.body)?;
    if document.name != "list" {
        return Err("not a list of resources".into());
    }
    let version =
        document.get("version").and_then(|v| v.parse().ok()).ok_or("the list's version isn't a number")?;
    let full = match document.get("fullState") {
        Some("true" | "1") => true,
        Some("false" | "0") => false,
        _ => return Err("the list is neither full nor partial".into()),
    };
    let uri = document.get("uri").unwrap_or_default().to_owned();
    let at = lists.len();
    lists.push(List { uri, version, full, resources: Vec::new() });
    for element in document.all("resource") {
        let resource = resource(element, &parts)?;
        let inner: Vec<(String, &[u8])> = resource
            .instances
            .iter()
            .filter_map(|instance| instance.content.clone())
            .filter(|(content_type, _)| multipart::is_type(content_type, "multipart/related"))
            .collect();
        if lists.iter().map(|list| list.resources.len()).sum::<usize>() >= MAX_RESOURCES {
            return Err("the list has too many resources".into());
        }
        if let Some(list) = lists.get_mut(at) {
            list.resources.push(resource);
        }
        for (content_type, body) in inner {
            read_into(lists, &content_type, body, depth + 1)?;
        }
    }
    Ok(())
}

/// A NOTIFY's Content-Type and body. Characters that XML 1.0 can't hold are dropped.
pub fn write(list: &List<'_>) -> (String, Vec<u8>) {
    let mut root = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"{}\" \
         version=\"{}\" fullState=\"{}\">\r\n",
        xml::escaped(&list.uri),
        list.version,
        list.full
    );
    let mut contents: Vec<(String, &str, &[u8])> = Vec::new();
    for resource in &list.resources {
        let _ = write!(root, "<resource uri=\"{}\">", xml::escaped(&resource.uri));
        for instance in &resource.instances {
            let state = match instance.state {
                InstanceState::Active => "active",
                InstanceState::Pending => "pending",
                InstanceState::Terminated => "terminated",
            };
            let _ = write!(root, "<instance id=\"{}\" state=\"{state}\"", xml::escaped(&instance.id));
            if let Some(reason) = &instance.reason {
                let _ = write!(root, " reason=\"{}\"", xml::escaped(reason));
            }
            if let Some((kind, body)) = &instance.content {
                let id = format!("{}@rlmi.invalid", contents.len() + 1);
                let _ = write!(root, " cid=\"{id}\"");
                contents.push((id, kind, body));
            }
            root.push_str("/>");
        }
        root.push_str("</resource>\r\n");
    }
    root.push_str("</list>\r\n");
    let root = ("0@rlmi.invalid".to_owned(), CONTENT_TYPE, root.as_bytes());
    let parts: Vec<_> = std::iter::once(root).chain(contents).collect();
    // A boundary that stands in none of the parts.
    let mut boundary = "part".to_owned();
    while parts.iter().any(|(_, _, body)| body.windows(boundary.len()).any(|w| w == boundary.as_bytes())) {
        boundary.push('=');
    }
    let mut body = Vec::new();
    for (id, kind, content) in parts {
        let head = format!(
            "--{boundary}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{id}>\r\nContent-Type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let kind = format!(
        "multipart/related;type=\"{CONTENT_TYPE}\";start=\"<0@rlmi.invalid>\";boundary=\"{boundary}\""
    );
    (kind, body)
}

fn resource<'a>(element: &xml::Element, parts: &[multipart::Part<'a>]) -> Result<Resource<'a>, String> {
    let uri = element.get("uri").ok_or("a resource has no URI")?.to_owned();
    let mut instances = Vec::new();
    for instance in element.all("instance") {
        if instances.len() >= MAX_INSTANCES {
            return Err("a resource has too many instances".into());
        }
        let state = match instance.get("state") {
            Some("active") => InstanceState::Active,
            Some("pending") => InstanceState::Pending,
            Some("terminated") => InstanceState::Terminated,
            _ => return Err("an instance has an unknown state".into()),
        };
        let content = match instance.get("cid") {
            None => None,
            Some(cid) => {
                let cid = cid.trim_start_matches("cid:").trim_matches(['<', '>']);
                let part = parts.iter().find(|part| part.content_id.as_deref() == Some(cid));
                let part = part.ok_or("an instance names a part that isn't there")?;
                Some((part.content_type.clone(), part.body))
            }
        };
        instances.push(Instance {
            id: instance.get("id").unwrap_or_default().to_owned(),
            state,
            reason: instance.get("reason").map(str::to_owned),
            content,
        });
    }
    Ok(Resource { uri, instances })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A NOTIFY's body as Asterisk 22 writes it.
    fn body(version: u32, full: bool, resources: &str, parts: &[(&str, &str, &str)]) -> String {
        let mut body = format!(
            "--amwbz\r\nContent-ID: <awaae@127.0.0.1>\r\nContent-Type: application/rlmi+xml\r\nContent-Length:   578\r\n\r\n\
             <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" \
             uri=\"sip:parks@127.0.0.1:5060\" version=\"{version}\" fullState=\"{full}\">\n <name>parks</name>\n{resources}</list>\n\r\n"
        );
        for (cid, content_type, content) in parts {
            body += &format!(
                "--amwbz\r\nContent-ID: <{cid}>\r\nContent-Type: {content_type}\r\n\r\n{content}\r\n"
            );
        }
        body + "--amwbz--\r\n"
    }

    const TYPE: &str = "multipart/related;type=\"application/rlmi+xml\";boundary=amwbz";

    #[test]
    fn a_list_is_read_with_the_state_of_each_resource() {
        let resources = "<resource uri=\"sip:701@h\"><name>701</name><instance id=\"a\" state=\"active\" cid=\"x@h\"/></resource>\
            <resource uri=\"sip:702@h\"><instance id=\"b\" state=\"terminated\" reason=\"noresource\"/></resource>\
            <resource uri=\"sip:703@h\"><instance id=\"c\" state=\"pending\"/></resource><resource uri=\"sip:704@h\"/>";
        let text = body(4, true, resources, &[("x@h", "application/dialog-info+xml", "<dialog-info/>")]);
        let lists = read(TYPE, text.as_bytes()).unwrap();
        let [list] = &lists[..] else { panic!("{lists:?}") };
        assert_eq!((list.uri.as_str(), list.version, list.full), ("sip:parks@127.0.0.1:5060", 4, true));
        let [one, two, three, four] = &list.resources[..] else { panic!() };
        let (content_type, content) = one.instances[0].content.clone().unwrap();
        assert_eq!(
            (content_type.as_str(), content),
            ("application/dialog-info+xml", b"<dialog-info/>".as_slice())
        );
        assert_eq!(two.instances[0].state, InstanceState::Terminated);
        assert_eq!(two.instances[0].reason.as_deref(), Some("noresource"));
        assert_eq!(three.instances[0].state, InstanceState::Pending);
        assert!(four.instances.is_empty());
    }

    #[test]
    fn lists_in_lists_are_read_so_deep_and_no_deeper() {
        let nested = |depth: usize| {
            let mut text = String::from("<dialog-info/>");
            let mut content_type = "application/dialog-info+xml".to_owned();
            for level in 0..depth {
                text = format!(
                    "--b{level}\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"l{level}\" version=\"1\" fullState=\"true\">\
                     <resource uri=\"r{level}\"><instance id=\"i\" state=\"active\" cid=\"c{level}\"/></resource></list>\r\n\
                     --b{level}\r\nContent-ID: <c{level}>\r\nContent-Type: {content_type}\r\n\r\n{text}\r\n--b{level}--\r\n"
                );
                content_type = format!("multipart/related;boundary=b{level}");
            }
            (content_type, text)
        };
        let (content_type, text) = nested(3);
        let lists = read(&content_type, text.as_bytes()).unwrap();
        let uris: Vec<&str> = lists.iter().map(|list| list.uri.as_str()).collect();
        assert_eq!(uris, ["l2", "l1", "l0"]);
        let (content_type, text) = nested(MAX_NESTING + 1);
        assert!(read(&content_type, text.as_bytes()).unwrap_err().contains("too deep"));
    }

    #[test]
    fn what_is_written_is_read() {
        let instance = |id: &str, content| Instance {
            id: id.into(),
            state: InstanceState::Active,
            reason: None,
            content,
        };
        let body: &[u8] = b"<a>part part= --part==</a>";
        let list = List {
            uri: "sip:all&some@h".into(),
            version: 7,
            full: false,
            resources: vec![
                Resource {
                    uri: "sip:701@h".into(),
                    instances: vec![instance("1", Some(("application/dialog-info+xml".into(), body)))],
                },
                Resource { uri: "sip:702@h".into(), instances: vec![instance("1", None)] },
                Resource { uri: "sip:703@h".into(), instances: vec![] },
            ],
        };
        let (kind, written) = write(&list);
        assert_eq!(read(&kind, &written), Ok(vec![list]));
    }

    #[test]
    fn hostile_lists_are_refused_in_words() {
        let instance = |inner: &str| format!("<resource uri=\"r\"><instance {inner}/></resource>");
        let crowd =
            format!("<resource uri=\"r\">{}</resource>", "<instance id=\"a\" state=\"active\"/>".repeat(17));
        for (resources, reason) in [
            (instance("id=\"a\" state=\"active\" cid=\"nowhere\""), "isn't there"),
            (instance("id=\"a\" state=\"odd\""), "unknown state"),
            ("<resource/>".to_owned(), "no URI"),
            (crowd, "too many instances"),
            ("<resource uri=\"r\"/>".repeat(MAX_RESOURCES + 1), "too many resources"),
        ] {
            let error = read(TYPE, body(1, true, &resources, &[]).as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
        let good = body(1, true, "", &[]);
        for (text, reason) in [
            (good.replace("version=\"1\"", "version=\"x\""), "version"),
            (good.replace("fullState=\"true\"", ""), "neither full"),
            (good.replace("<list", "<other").replace("</list", "</other"), "not a list"),
            (good.replace("application/rlmi+xml", "text/plain"), "no list among"),
            ("--amwbz--".into(), "no list among"),
        ] {
            let error = read(TYPE, text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }
}
