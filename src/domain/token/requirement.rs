//! Checks a token's scopes against `--require-scope` and `--forbid-scope`.

use crate::domain::client::invalid::Invalid;

use super::scope::ScopeSet;

/// The scopes a token must have, and those it must not have.
#[derive(Clone, Debug, Default)]
pub struct Requirement {
    /// All of these.
    pub required: ScopeSet,
    /// None of these.
    pub forbidden: ScopeSet,
}

impl Requirement {
    /// Refuses scopes that do not meet the requirement.
    pub fn check(&self, scopes: &ScopeSet) -> Result<(), Invalid> {
        if let Some(missing) = self.required.matching(|scope| !scopes.contains(scope.as_str())) {
            let reason = format!("the token lacks the scope `{missing}`, which --require-scope asks for");
            return Err(Invalid::new(reason));
        }
        if let Some(present) = self.forbidden.matching(|scope| scopes.contains(scope.as_str())) {
            let reason = format!("the token has the scope `{present}`, which --forbid-scope rules out");
            return Err(Invalid::new(reason));
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
        let refused = |required, forbidden| check(required, forbidden).unwrap_err().to_string();
        assert_eq!(
            refused("streams transcribe", ""),
            "the token lacks the scope `transcribe`, which --require-scope asks for"
        );
        assert_eq!(
            refused("streams", "openid x"),
            "the token has the scope `openid`, which --forbid-scope rules out"
        );
    }
}
