//! From a pattern's text to its combinations: the fields, the `$or` lists and their expansion, and the limits on
//! the whole. What stands in a list of values is for `operators`. Never matches anything.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::complexity;
use crate::condition::Condition;
use crate::error::Fault;
use crate::limits::{RULE_COMBINATIONS_MAX, RULE_FIELDS_MAX, WILDCARD_COMPLEXITY_MAX};
use crate::operators;
use crate::reader::{Reader, Token};

/// The field name that introduces alternatives.
const OR: &str = "$or";

/// Names that may not be fields anywhere inside `$or`.
const RESERVED_INSIDE_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// The alternatives for one path, with their source text for explanations.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) conditions: Arc<[Condition]>,
    pub(crate) source: Box<str>,
}

/// One combination: each path's values, in the order of the paths.
pub(crate) type Combination = BTreeMap<Arc<str>, Arc<Values>>;

/// What a pattern's text says.
pub(crate) struct Compiled {
    pub(crate) combinations: Vec<Combination>,
    /// Bytes of the text that the pattern takes up; what follows is not part of it.
    pub(crate) length: usize,
}

/// Compiles a pattern.
pub(crate) fn compile(text: &str) -> Result<Compiled, Fault> {
    let mut compiler = Compiler {
        reader: Reader::new(text),
        source: text,
        path: String::new(),
        steps: 0,
        scopes: Vec::new(),
        current: vec![Combination::new()],
        combinations: 1,
    };
    compiler.run()?;
    let Compiler {
        reader,
        current,
        combinations,
        ..
    } = compiler;
    if combinations > RULE_COMBINATIONS_MAX {
        return Err(Fault::nowhere(format!(
            "Event pattern contains more than {RULE_COMBINATIONS_MAX} rule combinations"
        )));
    }
    check_limits(&current)?;
    Ok(Compiled {
        combinations: current,
        length: reader.at(),
    })
}

enum Scope {
    Object {
        /// Length and steps of the path outside.
        outside: (usize, usize),
        inside_or: bool,
        has_fields: bool,
    },
    Or {
        base: Vec<Combination>,
        collected: Vec<Combination>,
        branches: usize,
    },
}

struct Compiler<'a> {
    reader: Reader<'a>,
    source: &'a str,
    path: String,
    /// Names that the path is made of; a name may be empty.
    steps: usize,
    scopes: Vec<Scope>,
    current: Vec<Combination>,
    /// Product of the lengths of the `$or` lists closed so far; more than the limit stands for any such number.
    combinations: usize,
}

impl Compiler<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        if self.reader.next()? != Token::StartObject {
            return Err(self.reader.fault("Filter is not an object"));
        }
        self.scopes.push(Scope::Object {
            outside: (0, 0),
            inside_or: false,
            has_fields: false,
        });
        while let Some(scope) = self.scopes.last_mut() {
            match scope {
                Scope::Object {
                    has_fields,
                    inside_or,
                    ..
                } => {
                    let had_fields = std::mem::replace(has_fields, true);
                    let inside_or = *inside_or;
                    self.field_or_end(had_fields, inside_or)?;
                }
                Scope::Or { .. } => self.branch_or_end()?,
            }
        }
        Ok(())
    }

    fn field_or_end(&mut self, had_fields: bool, inside_or: bool) -> Result<(), Fault> {
        if self.reader.next()? == Token::EndObject {
            return self.end_object(had_fields);
        }
        let name = self.reader.name().clone();
        if name == OR {
            return self.start_or();
        }
        if inside_or && RESERVED_INSIDE_OR.contains(&&*name) {
            let reason =
                format!("{name} is Ruler reserved fieldName which cannot be used inside {OR}.");
            return Err(self.reader.fault(reason));
        }
        let outside = (self.path.len(), self.steps);
        if self.steps > 0 {
            self.path.push('.');
        }
        self.path.push_str(&name);
        self.steps += 1;
        match self.reader.next()? {
            Token::StartObject => {
                self.scopes.push(Scope::Object {
                    outside,
                    inside_or,
                    has_fields: false,
                });
            }
            Token::StartArray => {
                self.values()?;
                self.leave(outside);
            }
            _ => {
                let reason = format!("\"{name}\" must be an object or an array");
                return Err(self.reader.fault(reason));
            }
        }
        Ok(())
    }

    fn end_object(&mut self, had_fields: bool) -> Result<(), Fault> {
        if !had_fields {
            return Err(self.reader.fault("Empty objects are not allowed"));
        }
        if let Some(Scope::Object { outside, .. }) = self.scopes.pop() {
            self.leave(outside);
        }
        if let Some(Scope::Or {
            collected,
            branches,
            ..
        }) = self.scopes.last_mut()
        {
            let fits = self.combinations.saturating_mul(*branches) <= RULE_COMBINATIONS_MAX;
            if fits || collected.is_empty() {
                collected.append(&mut self.current);
            }
        }
        Ok(())
    }

    fn leave(&mut self, (length, steps): (usize, usize)) {
        self.path.truncate(length);
        self.steps = steps;
    }

    fn values(&mut self) -> Result<(), Fault> {
        let start = self.reader.at().saturating_sub(1);
        let conditions = operators::values(&mut self.reader)?.into();
        let source = self
            .source
            .get(start..self.reader.at())
            .unwrap_or_default()
            .into();
        let path: Arc<str> = self.path.as_str().into();
        let values = Arc::new(Values { conditions, source });
        // One field above the limit is kept, to be found when all is read.
        for combination in self
            .current
            .iter_mut()
            .filter(|one| one.len() <= RULE_FIELDS_MAX)
        {
            combination.insert(path.clone(), values.clone());
        }
        Ok(())
    }

    fn start_or(&mut self) -> Result<(), Fault> {
        if self.reader.next()? != Token::StartArray {
            return Err(self
                .reader
                .fault(format!("It must be an Array followed with {OR}.")));
        }
        let base = std::mem::take(&mut self.current);
        self.scopes.push(Scope::Or {
            base,
            collected: Vec::new(),
            branches: 0,
        });
        Ok(())
    }

    fn branch_or_end(&mut self) -> Result<(), Fault> {
        let token = self.reader.next()?;
        let Some(Scope::Or {
            base,
            collected,
            branches,
        }) = self.scopes.last_mut()
        else {
            return Ok(());
        };
        match token {
            Token::StartObject => {
                *branches += 1;
                self.current.clone_from(base);
                let outside = (self.path.len(), self.steps);
                self.scopes.push(Scope::Object {
                    outside,
                    inside_or: true,
                    has_fields: false,
                });
                Ok(())
            }
            Token::EndArray if *branches >= 2 => {
                self.current = std::mem::take(collected);
                self.combinations = self.combinations.saturating_mul(*branches);
                self.scopes.pop();
                Ok(())
            }
            Token::EndArray => Err(self.reader.fault(format!(
                "There must have at least 2 Objects in {OR} relationship."
            ))),
            _ => Err(self.reader.fault(format!(
                "Only JSON object is allowed in array of {OR} relationship."
            ))),
        }
    }
}

fn check_limits(combinations: &[Combination]) -> Result<(), Fault> {
    let mut checked: HashSet<*const Values> = HashSet::new();
    for combination in combinations {
        if combination.len() > RULE_FIELDS_MAX {
            let reason = format!("Size of rule exceeds max value of {RULE_FIELDS_MAX}");
            return Err(Fault::nowhere(reason));
        }
        for values in combination.values() {
            if checked.insert(Arc::as_ptr(values)) {
                check_complexity(values)?;
            }
        }
    }
    Ok(())
}

fn check_complexity(values: &Values) -> Result<(), Fault> {
    let mut matchers = Vec::new();
    for (place, condition) in values.conditions.iter().enumerate() {
        let is_repeated = values
            .conditions
            .iter()
            .take(place)
            .any(|other| other == condition);
        if !is_repeated {
            matchers.push(condition.wildcards());
        }
    }
    let matchers: Vec<_> = matchers.iter().map(Vec::as_slice).collect();
    if complexity::exceeds(&matchers, WILDCARD_COMPLEXITY_MAX) {
        return Err(Fault::nowhere(
            "Rule is too complex - try using fewer wildcard characters or fewer repeating character \
             sequences after a wildcard character",
        ));
    }
    Ok(())
}
