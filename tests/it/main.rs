//! The tests that run the program.
mod architecture;
mod build;
mod check;
mod completions;
mod cosign;
mod init;
mod keygen;
mod lock;
mod parameters;
mod promote;
mod registry;
mod requests;
mod store_contract;
mod store_copy;
mod support;
