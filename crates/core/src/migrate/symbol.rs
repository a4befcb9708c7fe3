//! What a node says before parameters have values: text and names in turn, so that `!Sub arn:aws:s3:::${In}/x` and a
//! join of the same pieces are seen to be the same.
//!
//! Never evaluates a parameter, a mapping or a condition.

use crate::template::{Node, Piece, Template, attribute_of, pieces};

/// A piece of a symbolic text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Atom {
    /// Literal text.
    Text(String),
    /// What `Ref` gives for a parameter, a pseudo parameter or a resource.
    Name(String),
    /// A call that is not taken apart, as JSON.
    Call(String),
}

/// A text in pieces, no two literal ones beside one another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Symbol(Vec<Atom>);

const BUCKET: &str = "AWS::S3::Bucket";
const BUCKET_ARN: &str = "arn:aws:s3:::";

impl Symbol {
    /// Reads a node; `None` for lists and maps that are no calls.
    pub(crate) fn of(node: &Node, template: &Template) -> Option<Self> {
        let mut symbol = Self::default();
        symbol.read(node, template)?;
        Some(symbol)
    }

    /// The name that a bucket has, as far as the template tells: its `BucketName`, or what `Ref` gives.
    pub(crate) fn of_bucket(id: &str, template: &Template) -> Self {
        let mut symbol = Self::default();
        symbol.name(id, template);
        symbol
    }

    /// The text, if nothing but text is in it.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Atom::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What follows a literal text at the start.
    pub(crate) fn without_prefix(&self, prefix: &str) -> Option<Self> {
        let (first, rest) = self.0.split_first()?;
        let Atom::Text(text) = first else {
            return None;
        };
        let mut symbol = Self::default();
        symbol.text(text.strip_prefix(prefix)?);
        symbol.0.extend(rest.iter().cloned());
        Some(symbol)
    }

    /// What stands before and behind the first slash; `None` without one.
    pub(crate) fn at_slash(&self) -> Option<(Self, Self)> {
        let place = self
            .0
            .iter()
            .position(|atom| matches!(atom, Atom::Text(text) if text.contains('/')))?;
        let Some(Atom::Text(text)) = self.0.get(place) else {
            return None;
        };
        let (before, behind) = text.split_once('/')?;
        let mut left = Self(self.0.iter().take(place).cloned().collect());
        left.text(before);
        let mut right = Self::default();
        right.text(behind);
        right.0.extend(self.0.iter().skip(place + 1).cloned());
        Some((left, right))
    }

    /// What follows `arn:aws:s3:::` in the ARN of a bucket or object.
    pub(crate) fn behind_bucket_arn(&self) -> Option<Self> {
        self.without_prefix(BUCKET_ARN)
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text may begin with another: false only where both are plain enough to tell.
    pub(crate) fn may_start_with(&self, start: &Self) -> bool {
        match (self.0.first(), start.0.first(), start.literal()) {
            (Some(Atom::Text(own)), _, Some(start)) => {
                own.starts_with(start) || (self.0.len() > 1 && start.starts_with(own.as_str()))
            }
            (Some(Atom::Text(own)), Some(Atom::Text(start)), None) => {
                own.starts_with(start.as_str()) || start.starts_with(own.as_str())
            }
            (None, _, _) => start.is_empty(),
            _ => true,
        }
    }

    /// What stands before the first `*`; `None` where a star comes first.
    pub(crate) fn before_star(&self) -> Option<Self> {
        let mut symbol = Self::default();
        for atom in &self.0 {
            match atom {
                Atom::Text(text) => match text.split_once('*') {
                    Some((before, _)) => {
                        symbol.text(before);
                        break;
                    }
                    None => symbol.text(text),
                },
                other => symbol.0.push(other.clone()),
            }
        }
        (!symbol.is_empty()).then_some(symbol)
    }

    /// For messages.
    pub(crate) fn shown(&self) -> String {
        let piece = |atom: &Atom| match atom {
            Atom::Text(text) => text.clone(),
            Atom::Name(name) => format!("${{{name}}}"),
            Atom::Call(call) => call.clone(),
        };
        self.0.iter().map(piece).collect()
    }

    fn read(&mut self, node: &Node, template: &Template) -> Option<()> {
        let Some((function, argument)) = node.function() else {
            self.text(&node.scalar_text()?);
            return Some(());
        };
        match function {
            "Ref" => self.name(argument.as_str()?, template),
            "Fn::GetAtt" => {
                let (id, attribute) = attribute_of(argument)?;
                self.attribute(&id, &attribute, template);
            }
            "Fn::Sub" => return self.substitute(argument, template),
            "Fn::Join" => return self.join(argument, template),
            _ => self.0.push(Atom::Call(node.to_json().to_string())),
        }
        Some(())
    }

    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Atom::Text(last)) => last.push_str(text),
            _ => self.0.push(Atom::Text(text.to_owned())),
        }
    }

    fn name(&mut self, name: &str, template: &Template) {
        if name == "AWS::Partition" {
            return self.text("aws");
        }
        let own = template
            .resource(name)
            .filter(|it| it.resource_type == BUCKET)
            .and_then(|it| it.properties.as_ref()?.get("BucketName"));
        // A bucket cannot be named after itself: the template's check has ruled out circles.
        if let Some(symbol) = own.and_then(|node| Self::of(node, template)) {
            for atom in symbol.0 {
                match atom {
                    Atom::Text(text) => self.text(&text),
                    other => self.0.push(other),
                }
            }
        } else {
            self.0.push(Atom::Name(name.to_owned()));
        }
    }

    fn attribute(&mut self, id: &str, attribute: &str, template: &Template) {
        let is_bucket = template
            .resource(id)
            .is_some_and(|it| it.resource_type == BUCKET);
        if is_bucket && attribute == "Arn" {
            self.text(BUCKET_ARN);
            self.name(id, template);
        } else {
            self.0.push(Atom::Call(format!("{id}.{attribute}")));
        }
    }

    fn substitute(&mut self, argument: &Node, template: &Template) -> Option<()> {
        let (text, own) = match argument.items() {
            Some([text, own]) => (text, Some(own)),
            Some([text]) => (text, None),
            Some(_) => return None,
            None => (argument, None),
        };
        for piece in pieces(&text.scalar_text()?) {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Literal(name) => self.text(&format!("${{{name}}}")),
                Piece::Variable(name) => match own.and_then(|own| own.get(name)) {
                    Some(node) => self.read(node, template)?,
                    None => match name.split_once('.') {
                        Some((id, attribute)) => self.attribute(id, attribute, template),
                        None => self.name(name, template),
                    },
                },
            }
        }
        Some(())
    }

    fn join(&mut self, argument: &Node, template: &Template) -> Option<()> {
        let [delimiter, items] = argument.items()? else {
            return None;
        };
        let delimiter = delimiter.as_str()?;
        let Some(items) = items.items() else {
            self.0.push(Atom::Call(argument.to_json().to_string()));
            return Some(());
        };
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text(delimiter);
            }
            self.read(item, template)?;
        }
        Some(())
    }
}
