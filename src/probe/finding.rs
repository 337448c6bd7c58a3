//! What came of a question.

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is called: `discovery`, `token:web`.
    pub name: String,
    /// What was found.
    pub found: Found,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// As it should be; in words.
    Good(String),
    /// It works, and something about it could not be seen; in words.
    Doubtful(String),
    /// Not as it should be.
    Bad(Miss),
}

/// An answer that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// What was asked: `GET https://login.example.com/jwks`.
    pub asked: String,
    /// What came.
    pub came: String,
    /// What should have come.
    pub expected: String,
}

impl std::fmt::Display for Miss {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "asked {}; came {}; expected {}",
            self.asked, self.came, self.expected
        )
    }
}

impl Finding {
    pub(super) fn new(name: impl Into<String>, found: Result<String, Miss>) -> Self {
        Self {
            name: name.into(),
            found: match found {
                Ok(words) => Found::Good(words),
                Err(miss) => Found::Bad(miss),
            },
        }
    }

    /// Whether it is not as it should be.
    pub fn is_bad(&self) -> bool {
        matches!(self.found, Found::Bad(_))
    }
}
