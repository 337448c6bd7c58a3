//! Why an engine could not do it.

/// Why an engine could not do it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// How it is spoken to can't be understood: `DOCKER_HOST`, a context, a certificate.
    #[error("{0}")]
    Settings(String),
    /// Nobody answers.
    #[error("the engine at `{engine}` does not answer: {because}")]
    Unreachable {
        /// Where.
        engine: String,
        /// What came instead.
        because: String,
    },
    /// Too old, or something else altogether.
    #[error("the engine at `{engine}` can't be used: {because}")]
    Unsuitable {
        /// Where.
        engine: String,
        /// Why.
        because: String,
    },
    /// It answered with an error.
    #[error("the engine refused to {act}: {because}")]
    Refused {
        /// What it was asked to do: "start the container".
        act: &'static str,
        /// Its message, bounded.
        because: String,
        /// The status of its answer.
        status: u16,
    },
    /// A port of this machine is in use.
    #[error("the address `{address}` is taken")]
    AddressTaken {
        /// `127.0.0.1:8443`
        address: String,
    },
    /// It broke off, or what it said makes no sense.
    #[error("the engine broke off while it should {act}: {because}")]
    BrokenOff {
        /// What it was asked to do.
        act: &'static str,
        /// What was seen.
        because: String,
    },
    /// It took too long.
    #[error("the engine did not {act} within {seconds} s")]
    TooSlow {
        /// What it was asked to do.
        act: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
}
