//! A pull reader for JSON that keeps what EventBridge's answers depend on: the source text of numbers, repeated
//! keys, and how far the text was read at any moment. Never builds a tree, never recurses.
//!
//! It reads ahead as little as the service does: a string's content is looked at only when it is asked for or
//! passed over, and a name comes together with the first character of its value. Error locations follow from that.

use std::borrow::Cow;

use crate::error::{Fault, location};
use crate::limits::DOCUMENT_DEPTH_MAX;

/// What the reader stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    StartObject,
    EndObject,
    StartArray,
    EndArray,
    Name,
    Text,
    Number,
    True,
    False,
    Null,
    /// The text ended before a value began.
    End,
}

impl Token {
    /// The source of tokens that always look the same; empty for the others.
    fn fixed_text(self) -> &'static str {
        match self {
            Self::StartObject => "{",
            Self::EndObject => "}",
            Self::StartArray => "[",
            Self::EndArray => "]",
            Self::True => "true",
            Self::False => "false",
            Self::Null => "null",
            Self::Name | Self::Text | Self::Number | Self::End => "",
        }
    }
}

struct Open {
    object: bool,
    filled: bool,
    start: usize,
}

impl Open {
    fn kind(&self) -> &'static str {
        if self.object { "Object" } else { "Array" }
    }

    fn marker(&self) -> char {
        if self.object { '}' } else { ']' }
    }
}

const VALUE_KINDS: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Reads one JSON text token by token.
pub(crate) struct Reader<'a> {
    source: &'a str,
    at: usize,
    open: Vec<Open>,
    token: Token,
    held: Option<Token>,
    unread: bool,
    text: Cow<'a, str>,
    name: Cow<'a, str>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self {
            source,
            at: 0,
            open: Vec::new(),
            token: Token::End,
            held: None,
            unread: false,
            text: Cow::Borrowed(""),
            name: Cow::Borrowed(""),
        }
    }

    /// Bytes read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// A finding at the place reached.
    pub(crate) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::at(reason, self.at)
    }

    /// The name behind which the reader last stood.
    pub(crate) fn name(&self) -> &Cow<'a, str> {
        &self.name
    }

    /// The current token's text: a string's content, a number's source, else its spelling.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.unread {
            self.read_text()?;
        }
        match self.token {
            Token::Text | Token::Number => Ok(self.text.clone()),
            other => Ok(Cow::Borrowed(other.fixed_text())),
        }
    }

    /// Moves to the next token.
    pub(crate) fn next(&mut self) -> Result<Token, Fault> {
        self.token = self.advance()?;
        Ok(self.token)
    }

    /// Whether nothing but white space is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.rest()
            .trim_start_matches([' ', '\t', '\r', '\n'])
            .is_empty()
    }

    fn advance(&mut self) -> Result<Token, Fault> {
        if let Some(token) = self.held.take() {
            return self.enter(token);
        }
        if self.unread {
            self.read_text()?;
        }
        let Some(first) = self.skip_space() else {
            return self.end();
        };
        if matches!(first, ']' | '}') {
            return self.close(first);
        }
        let first = self.skip_comma(first)?;
        let in_object = self.open.last().is_some_and(|open| open.object);
        if in_object {
            return self.member(first);
        }
        let token = self.value(first)?;
        self.enter(token)
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn bump(&mut self) -> Option<char> {
        let char = self.rest().chars().next()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn skip_space(&mut self) -> Option<char> {
        loop {
            match self.bump()? {
                ' ' | '\t' | '\r' | '\n' => {}
                char => return Some(char),
            }
        }
    }

    fn end(&self) -> Result<Token, Fault> {
        let Some(open) = self.open.last() else {
            return Ok(Token::End);
        };
        let place = location(self.source, open.start);
        Err(self.fault(format!(
            "Unexpected end-of-input: expected close marker for {} (start marker at {place})",
            open.kind()
        )))
    }

    fn end_between(&self) -> Fault {
        let kind = self.open.last().map_or("Root", Open::kind);
        self.fault(format!(
            "Unexpected end-of-input within/between {kind} entries"
        ))
    }

    fn close(&mut self, marker: char) -> Result<Token, Fault> {
        match self.open.pop() {
            Some(open) if open.marker() == marker && open.object => Ok(Token::EndObject),
            Some(open) if open.marker() == marker => Ok(Token::EndArray),
            Some(open) => Err(self.fault(format!(
                "Unexpected close marker '{marker}': expected '{}' (for {} starting at {})",
                open.marker(),
                open.kind(),
                location(self.source, open.start)
            ))),
            None => Err(self.unexpected(marker, &format!("expected a valid value {VALUE_KINDS}"))),
        }
    }

    fn skip_comma(&mut self, first: char) -> Result<char, Fault> {
        let Some(open) = self.open.last_mut() else {
            return Ok(first);
        };
        let kind = open.kind();
        if !std::mem::replace(&mut open.filled, true) {
            return Ok(first);
        }
        if first != ',' {
            let wanted = format!("was expecting comma to separate {kind} entries");
            return Err(self.unexpected(first, &wanted));
        }
        self.skip_space().ok_or_else(|| self.end_between())
    }

    fn member(&mut self, first: char) -> Result<Token, Fault> {
        if first != '"' {
            let wanted = "was expecting double-quote to start field name";
            return Err(self.unexpected(first, wanted));
        }
        self.name = self.read_string(true)?;
        let colon = self.skip_space().ok_or_else(|| self.end_between())?;
        if colon != ':' {
            let wanted = "was expecting a colon to separate field name and value";
            return Err(self.unexpected(colon, wanted));
        }
        let first = self.skip_space().ok_or_else(|| self.end_between())?;
        self.held = Some(self.value(first)?);
        Ok(Token::Name)
    }

    fn enter(&mut self, token: Token) -> Result<Token, Fault> {
        if !matches!(token, Token::StartObject | Token::StartArray) {
            return Ok(token);
        }
        if self.open.len() >= DOCUMENT_DEPTH_MAX {
            let depth = self.open.len() + 1;
            return Err(self.fault(format!(
                "Document nesting depth ({depth}) exceeds the maximum allowed ({DOCUMENT_DEPTH_MAX})"
            )));
        }
        let object = token == Token::StartObject;
        self.open.push(Open {
            object,
            filled: false,
            start: self.at.saturating_sub(1),
        });
        Ok(token)
    }

    fn value(&mut self, first: char) -> Result<Token, Fault> {
        match first {
            '"' => {
                self.unread = true;
                Ok(Token::Text)
            }
            '{' => Ok(Token::StartObject),
            '[' => Ok(Token::StartArray),
            '-' | '0'..='9' => self.number(first),
            '}' | ']' => Err(self.unexpected(first, "expected a value")),
            _ => self.word(first),
        }
    }

    fn word(&mut self, first: char) -> Result<Token, Fault> {
        let part = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$');
        if !part(first) {
            return Err(self.unexpected(first, &format!("expected a valid value {VALUE_KINDS}")));
        }
        let start = self.at - first.len_utf8();
        let rest = self.rest();
        self.at += rest.find(|char| !part(char)).unwrap_or(rest.len());
        match self.source.get(start..self.at).unwrap_or_default() {
            "true" => Ok(Token::True),
            "false" => Ok(Token::False),
            "null" => Ok(Token::Null),
            word => Err(self.fault(format!(
                "Unrecognized token '{word}': was expecting {VALUE_KINDS}"
            ))),
        }
    }

    fn number(&mut self, first: char) -> Result<Token, Fault> {
        let start = self.at - 1;
        let minus = "expected digit (0-9) to follow minus sign, for valid numeric value";
        let lead = if first == '-' {
            self.number_digit(minus)?
        } else {
            first
        };
        if lead == '0' && self.rest().starts_with(|next: char| next.is_ascii_digit()) {
            return Err(self.fault("Invalid numeric value: Leading zeroes not allowed"));
        }
        self.skip_digits();
        if self.rest().starts_with('.') {
            self.at += 1;
            self.number_digit("Decimal point not followed by a digit")?;
            self.skip_digits();
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            self.number_digit("Exponent indicator not followed by a digit")?;
            self.skip_digits();
        }
        self.text = Cow::Borrowed(self.source.get(start..self.at).unwrap_or_default());
        Ok(Token::Number)
    }

    fn skip_digits(&mut self) {
        let rest = self.rest();
        self.at += rest
            .find(|char: char| !char.is_ascii_digit())
            .unwrap_or(rest.len());
    }

    fn number_digit(&mut self, wanted: &str) -> Result<char, Fault> {
        match self.bump() {
            Some(digit @ '0'..='9') => Ok(digit),
            Some(other) => Err(self.fault(format!(
                "Unexpected character ({}) in numeric value: {wanted}",
                quoted(other)
            ))),
            None => Err(self.fault("Unexpected end-of-input in a Number value")),
        }
    }

    fn read_text(&mut self) -> Result<(), Fault> {
        self.unread = false;
        self.text = self.read_string(false)?;
        Ok(())
    }

    /// Reads from behind the opening quote to behind the closing one.
    fn read_string(&mut self, is_name: bool) -> Result<Cow<'a, str>, Fault> {
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let stop = rest
                .bytes()
                .position(|byte| byte < b' ' || byte == b'"' || byte == b'\\');
            let (plain, _) = rest
                .split_at_checked(stop.unwrap_or(rest.len()))
                .unwrap_or((rest, ""));
            if text.is_empty() {
                text = Cow::Borrowed(plain);
            } else {
                text.to_mut().push_str(plain);
            }
            self.at += plain.len();
            match self.bump() {
                Some('"') => return Ok(text),
                Some('\\') => text.to_mut().push(self.escape()?),
                Some(control) => return Err(self.control(control, is_name)),
                None if is_name => return Err(self.fault("Unexpected end-of-input in field name")),
                None => {
                    let wanted = "was expecting closing quote for a string value";
                    return Err(self.fault(format!("Unexpected end-of-input: {wanted}")));
                }
            }
        }
    }

    fn control(&self, control: char, is_name: bool) -> Fault {
        let place = if is_name { "name" } else { "string value" };
        self.fault(format!(
            "Illegal unquoted character ({}): has to be escaped using backslash to be included in {place}",
            quoted(control)
        ))
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let Some(char) = self.bump() else {
            return Err(self.fault("Unexpected end-of-input in character escape sequence"));
        };
        Ok(match char {
            '"' | '\\' | '/' => char,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.unicode_escape()?,
            other => {
                return Err(self.fault(format!("Unrecognized character escape {}", quoted(other))));
            }
        })
    }

    /// A half of a surrogate pair that stands alone becomes `?`, as it does when Java encodes it.
    fn unicode_escape(&mut self) -> Result<char, Fault> {
        let unit = self.hex_unit()?;
        let is_high = (0xD800..0xDC00).contains(&unit);
        if !is_high || !self.rest().starts_with("\\u") {
            return Ok(char::from_u32(unit).unwrap_or('?'));
        }
        let before = self.at;
        self.at += 2;
        let low = self.hex_unit()?;
        if !(0xDC00..0xE000).contains(&low) {
            self.at = before;
            return Ok('?');
        }
        let scalar = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        Ok(char::from_u32(scalar).unwrap_or('?'))
    }

    fn hex_unit(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(char) = self.bump() else {
                return Err(self.fault("Unexpected end-of-input in character escape sequence"));
            };
            let Some(digit) = char.to_digit(16) else {
                let wanted = "expected a hex-digit for character escape sequence";
                return Err(self.unexpected(char, wanted));
            };
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }

    /// A finding about the character just read; it is located before it.
    fn unexpected(&self, char: char, wanted: &str) -> Fault {
        let reason = if char < ' ' {
            let allowed = "only regular white space (\\r, \\n, \\t) is allowed between tokens";
            format!("Illegal character ({}): {allowed}", quoted(char))
        } else {
            format!("Unexpected character ({}): {wanted}", quoted(char))
        };
        Fault::at(reason, self.at - char.len_utf8())
    }
}

/// The content of the string whose opening quote ends before `at`, its escapes undone.
pub(crate) fn unescaped(source: &str, at: usize) -> Result<Cow<'_, str>, Fault> {
    let mut reader = Reader::new(source);
    reader.at = at;
    reader.read_string(false)
}

fn quoted(char: char) -> String {
    let code = u32::from(char);
    if char < ' ' {
        return format!("(CTRL-CHAR, code {code})");
    }
    format!("'{char}' (code {code})")
}
