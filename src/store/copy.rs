//! `copy`
