//! What a token's scopes must be, and must not be, for whoever is about to use it.

use super::scope::ScopeSet;

/// Scopes that must be there, and scopes that must not.
#[derive(Clone, Debug, Default)]
pub struct Requirement {
    /// All of these.
    pub required: ScopeSet,
    /// None of these.
    pub forbidden: ScopeSet,
}

/// Why a token will not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// It has not every required scope.
    #[error("the token has not the scope `{0}`, which --require-scope asks for")]
    Missing(ScopeSet),
    /// It has a forbidden one.
    #[error("the token has the scope `{0}`, which --forbid-scope rules out")]
    Present(ScopeSet),
}

impl Requirement {
    /// Holds a token's scopes against this.
    ///
    /// # Errors
    /// [`Unmet`], with the scopes it is about.
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
