//! The parameterized configuration: read, placeholders, tree model, merge rule, fill.

/// An immutable set of files with placeholders.
pub struct Bundle {}
