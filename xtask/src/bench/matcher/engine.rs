//! The two engines behind one face. Never does more than the engine's own calls.

use anyhow::{Context, Result};
use landfall_pattern::{Matcher, Pattern, Scratch, Snapshot};
use quamina::{Quamina, QuaminaBuilder};

/// Who matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// Told that names in an event are distinct.
    Landfall,
    /// Not told so: it must reckon with a name that comes again.
    LandfallAny,
    Quamina,
}

impl Engine {
    pub(super) fn named(name: &str) -> Result<Self> {
        let all = [Self::Landfall, Self::LandfallAny, Self::Quamina];
        all.into_iter()
            .find(|engine| engine.name() == name)
            .context("no such engine")
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Landfall => "landfall",
            Self::LandfallAny => "landfall-any",
            Self::Quamina => "quamina",
        }
    }
}

/// An engine with its rules, numbered from zero.
pub(super) enum Loaded {
    Landfall(Box<Landfall>),
    Quamina(Box<Quamina<usize>>),
}

pub(super) struct Landfall {
    is_distinct: bool,
    matcher: Matcher<usize>,
    now: Snapshot<usize>,
    scratch: Scratch,
}

impl Loaded {
    pub(super) fn new(engine: Engine, rules: impl Iterator<Item = String>) -> Result<Self> {
        match engine {
            Engine::Landfall | Engine::LandfallAny => {
                let mut problem = None;
                let rules = rules
                    .enumerate()
                    .map_while(|(id, text)| match Pattern::parse(&text) {
                        Ok(pattern) => Some((id, pattern)),
                        Err(e) => {
                            problem = Some(e);
                            None
                        }
                    });
                let mut matcher = Matcher::new();
                matcher.extend(rules);
                problem.map_or(Ok(()), Err)?;
                let now = matcher.snapshot();
                Ok(Self::Landfall(Box::new(Landfall {
                    is_distinct: engine == Engine::Landfall,
                    matcher,
                    now,
                    scratch: Scratch::default(),
                })))
            }
            Engine::Quamina => {
                let builder = QuaminaBuilder::<usize>::new().with_arena_byte_budget(usize::MAX);
                let mut quamina = builder.build()?;
                for (id, text) in rules.enumerate() {
                    quamina.add_pattern(id, &text)?;
                }
                Ok(Self::Quamina(Box::new(quamina)))
            }
        }
    }

    pub(super) fn add(&mut self, id: usize, text: &str) -> Result<()> {
        match self {
            Self::Landfall(landfall) => {
                landfall.matcher.add(id, &Pattern::parse(text)?);
                landfall.now = landfall.matcher.snapshot();
            }
            Self::Quamina(quamina) => quamina.add_pattern(id, text)?,
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, id: usize) -> Result<()> {
        match self {
            Self::Landfall(landfall) => {
                landfall.matcher.remove(&id);
                landfall.now = landfall.matcher.snapshot();
            }
            Self::Quamina(quamina) => quamina.delete_patterns(&id)?,
        }
        Ok(())
    }

    /// How many rules match.
    pub(super) fn count(&mut self, event: &str) -> Result<u64> {
        match self {
            Self::Landfall(landfall) => {
                let (mut count, scratch) = (0, &mut landfall.scratch);
                let found = |_: &usize| count += 1;
                match landfall.is_distinct {
                    true => landfall.now.matches_distinct_with(event, scratch, found)?,
                    false => landfall.now.matches_with(event, scratch, found)?,
                }
                Ok(count)
            }
            Self::Quamina(quamina) => Ok(quamina.matches_for_event(event.as_bytes())?.len() as u64),
        }
    }
}
