//! The tests that run the program.
mod registry;
mod support;
