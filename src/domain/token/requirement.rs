//! Checks a token's scopes against `--require-scope` and `--forbid-scope`.

use super::scope::ScopeSet;

/// The scopes a token must have, and those it must not have.
#[derive(Clone, Debug, Default)]
pub struct Requirement {
    /// All of these.
    pub required: ScopeSet,
    /// None of these.
    pub forbidden: ScopeSet,
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// It lacks a required scope.
    #[error("the token lacks the scope `{0}`, which --require-scope asks for")]
    Missing(ScopeSet),
    /// It has a forbidden one.
    #[error("the token has the scope `{0}`, which --forbid-scope rules out")]
    Present(ScopeSet),
}

impl Requirement {
    /// Checks a token's scopes.
    ///
    /// # Errors
    /// [`Unmet`], with the scopes that are missing or forbidden.
    pub fn check(&self, scopes: &ScopeSet) -> Result<(), Unmet> {
        let missing: ScopeSet =
            self.required.iter().filter(|scope| !scopes.contains(scope.as_str())).cloned().collect();
        if !missing.is_empty() {
            return Err(Unmet::Missing(missing));
        }
        let present: ScopeSet =
            self.forbidden.iter().filter(|scope| scopes.contains(scope.as_str())).cloned().collect();
        if !present.is_empty() {
            return Err(Unmet::Present(present));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_required_and_nothing_that_is_forbidden() {
        let set = ScopeSet::from_wire;
        let check = |required: &str, forbidden: &str| {
            Requirement { required: set(required), forbidden: set(forbidden) }.check(&set("openid streams"))
        };
        assert_eq!(check("", ""), Ok(()));
        assert_eq!(check("streams openid", "transcribe"), Ok(()));
        assert_eq!(check("streams transcribe", ""), Err(Unmet::Missing(set("transcribe"))));
        assert_eq!(check("streams", "openid x"), Err(Unmet::Present(set("openid"))));
    }
}
