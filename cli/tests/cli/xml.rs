//! A strict reader of the XML that the command writes: elements, attributes, text. It panics
//! where a document is not well-formed (<https://www.w3.org/TR/xml/#sec-well-formed>).

/// An element with its content.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    #[track_caller]
    pub(crate) fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name}: {self:#?}"))
    }

    /// `tests`, `failures`, `errors` and `skipped`.
    pub(crate) fn counts(&self) -> [&str; 4] {
        ["tests", "failures", "errors", "skipped"].map(|name| self.attribute(name))
    }

    /// The case of that name.
    #[track_caller]
    pub(crate) fn case(&self, name: &str) -> &Element {
        let found = self.children.iter().find(|case| case.attribute("name") == name);
        found.unwrap_or_else(|| panic!("no case {name}: {self:#?}"))
    }
}

/// The root of a document.
pub(crate) fn read(document: &str) -> Element {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let mut rest = document.strip_prefix(declaration).expect("a declaration");
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    assert!(document.chars().all(legal), "a character that XML cannot hold");
    let mut open = vec![Element::default()];
    while let Some((text, tag_and_more)) = rest.split_once('<') {
        open.last_mut().unwrap().text.push_str(&unescape(text));
        let (tag, more) = tag_and_more.split_once('>').expect("a tag ends");
        rest = more;
        if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop().unwrap();
            assert_eq!(element.name, name, "tags nest");
            open.last_mut().unwrap().children.push(element);
        } else {
            let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let element = start(tag);
            if is_empty {
                open.last_mut().unwrap().children.push(element);
            } else {
                open.push(element);
            }
        }
    }
    assert_eq!(open.len(), 1, "every element is closed");
    let mut document = open.pop().unwrap();
    assert_eq!((document.children.len(), document.text.trim(), rest.trim()), (1, "", ""));
    document.children.pop().unwrap()
}

/// A start tag. Values hold neither `<` nor `>` as the command writes them.
fn start(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    while !rest.is_empty() {
        let (name, value_and_more) = rest.split_once("=\"").expect("an attribute has a value");
        let (value, more) = value_and_more.split_once('"').expect("a value ends");
        let name = name.trim().to_owned();
        assert!(element.attributes.iter().all(|(known, _)| *known != name), "{name} comes twice");
        assert!(!value.contains('\n'), "a line end in a value is read as a blank");
        element.attributes.push((name, unescape(value)));
        rest = more;
    }
    element
}

fn unescape(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, after) = part.split_once(';').expect("an entity ends");
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#10" => '\n',
            other => panic!("unknown entity {other}"),
        });
        plain.push_str(after);
    }
    plain
}
