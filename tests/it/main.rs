//! The tests that run the program.
mod store_contract;
