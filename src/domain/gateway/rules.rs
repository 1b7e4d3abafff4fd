//! What a group may do: a table of operations. Nothing is allowed that no rule allows, and no rule forbids.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::caller::Caller;
use super::limits::{GivenLimits, Limits};
use super::operation::{Call, Data, TABLE};
use super::refusal::{Code, Refusal};

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The groups that it is for.
    pub groups: BTreeSet<String>,
    /// The operations that it allows, by name.
    pub allow: BTreeSet<&'static str>,
    /// Whether it allows them for the caller's own interactions only.
    pub own: bool,
    /// Its limits, where they differ from the general ones.
    pub limits: GivenLimits,
}

/// All rules.
#[derive(Clone, Debug)]
pub struct Rules {
    /// In the order of the file, which has no meaning.
    pub rules: Vec<Rule>,
    /// The limits where a rule says nothing.
    pub limits: Limits,
}

/// What a caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// The operations, and whether each is for the caller's own interactions only.
    pub operations: BTreeMap<&'static str, bool>,
    /// The limits.
    pub limits: Limits,
}

impl Rules {
    /// What the rules of these groups allow together.
    pub fn permissions(&self, groups: &BTreeSet<String>) -> Permissions {
        let mut operations = BTreeMap::new();
        let mut limits: Option<Limits> = None;
        for rule in self.rules.iter().filter(|rule| !rule.groups.is_disjoint(groups)) {
            let own = self.limits.with(&rule.limits);
            limits = Some(limits.map_or(own, |limits| limits.wider(own)));
            for name in &rule.allow {
                // One rule without `own` is enough.
                operations.entry(*name).and_modify(|is_own| *is_own &= rule.own).or_insert(rule.own);
            }
        }
        // Nobody can have what belongs to everybody for their own.
        operations.retain(|name, is_own| !*is_own || !is_only_of_everybody(name));
        Permissions { operations, limits: limits.unwrap_or(self.limits) }
    }

    /// The groups that rules name.
    pub fn groups(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|rule| &rule.groups).map(String::as_str).collect()
    }
}

/// Whether every path of an operation is about the data of all users.
pub fn is_only_of_everybody(name: &str) -> bool {
    let mut paths = TABLE.iter().filter(|operation| operation.name == name).peekable();
    paths.peek().is_some() && paths.all(|operation| operation.data == Data::Everybodys)
}

impl Permissions {
    /// Whether the operation `name` of the broker is allowed, and only for the caller's own interactions.
    pub fn of_broker(&self, name: &str) -> Result<bool, Refusal> {
        self.operations.get(name).copied().ok_or_else(|| denied(name))
    }

    /// Decides about a call. Returns the interaction whose owner must be the caller, if there is one.
    pub fn decide(&self, call: &Call) -> Result<Option<Uuid>, Refusal> {
        let name = call.operation.name;
        match (self.operations.get(name), call.operation.data) {
            (None, _) | (Some(true), Data::Everybodys) => Err(denied(name)),
            (Some(true), Data::Interaction) => Ok(call.interaction),
            (Some(_), _) => Ok(None),
        }
    }
}

fn denied(name: &str) -> Refusal {
    Refusal::new(Code::OperationDenied, format!("no rule of your groups allows `{name}`"))
}

/// Refuses another user's interaction. `assigned` is its `assignedUserId`.
pub fn check_owner(assigned: Option<Uuid>, caller: &Caller) -> Result<(), Refusal> {
    if assigned == Some(caller.user) {
        return Ok(());
    }
    Err(Refusal::new(Code::NotOwner, "this interaction is not assigned to you"))
}

#[cfg(test)]
mod tests {
    use super::super::operation;
    use super::*;

    fn rule(groups: &[&str], allow: &[&'static str], own: bool) -> Rule {
        let groups = groups.iter().map(|it| (*it).to_owned()).collect();
        Rule { groups, allow: allow.iter().copied().collect(), own, limits: GivenLimits::default() }
    }

    fn rules() -> Rules {
        let rules = vec![
            rule(
                &["clinician"],
                &["facts.list", "interactions.list", "languages.list", "session.streams"],
                true,
            ),
            rule(&["batch"], &["facts.list", "interactions.list"], false),
        ];
        Rules { rules, limits: Limits::DEFAULT }
    }

    fn decided(groups: &[&str], method: &str, path: &str) -> Result<Option<Uuid>, Code> {
        let groups = groups.iter().map(|it| (*it).to_owned()).collect();
        let call = operation::find(method, path).unwrap();
        rules().permissions(&groups).decide(&call).map_err(|refusal| refusal.code)
    }

    #[test]
    fn what_no_rule_allows_is_denied() {
        let facts = format!("/corti/v2/interactions/{}/facts/", Uuid::nil());
        let list = "/corti/v2/interactions/";
        assert_eq!(decided(&["clinician"], "GET", &facts), Ok(Some(Uuid::nil())));
        assert_eq!(decided(&["clinician"], "POST", &facts), Err(Code::OperationDenied));
        assert_eq!(decided(&["clinician"], "GET", list), Err(Code::OperationDenied));
        assert_eq!(decided(&["clinician"], "GET", "/corti/v2/languages/"), Ok(None));
        assert_eq!(decided(&["clinician", "batch"], "GET", list), Ok(None));
        assert_eq!(decided(&["clinician", "batch"], "GET", &facts), Ok(None));
        for groups in [&[][..], &["other"]] {
            assert_eq!(decided(groups, "GET", "/corti/v2/languages/"), Err(Code::OperationDenied));
        }
    }
}
