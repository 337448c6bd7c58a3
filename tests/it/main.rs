//! The tests that run the program.
