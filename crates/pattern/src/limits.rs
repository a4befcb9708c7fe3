//! Every bound of this crate under a name. Never a bare number elsewhere.

/// Nesting of objects and arrays in a pattern or an event; one level more is refused.
pub const DOCUMENT_DEPTH_MAX: usize = 1_000;
/// Combinations that the `$or` lists of one pattern may expand to.
pub const RULE_COMBINATIONS_MAX: usize = 1_000;
/// Distinct paths in one combination.
pub const RULE_FIELDS_MAX: usize = 256;
/// Wildcard complexity of one field; a pattern above it is refused.
pub const WILDCARD_COMPLEXITY_MAX: usize = 10;
/// UTF-16 units of the pattern text that an error message quotes.
pub const ERROR_SOURCE_UNITS_MAX: usize = 500;
/// Sets of wildcard states looked at before a pattern counts as too complex.
pub(crate) const COMPLEXITY_SETS_MAX: usize = 50_000;
/// Choices of array elements tried for one combination before it counts as not matching.
pub(crate) const CHOICES_MAX: usize = 500_000;
/// Values of one path that `Miss::found` spells out.
pub(crate) const MISS_VALUES_MAX: usize = 8;
/// Characters of one value that `Miss::found` spells out.
pub(crate) const MISS_VALUE_CHARS_MAX: usize = 120;
