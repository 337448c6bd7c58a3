//! The tests that run the program.
mod architecture;
mod build;
mod cosign;
mod registry;
mod requests;
mod store_contract;
mod store_copy;
mod support;
