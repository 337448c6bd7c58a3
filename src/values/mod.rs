//! Values: what one stage gives the parameters, and the contract that says which it must give.

mod contract;
mod stage;

pub use contract::{Contract, ContractParameter, Coverage, Place};
pub use stage::{Origin, StageValues, Value, ValueText};
