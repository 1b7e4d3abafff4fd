//! What a group may do: a table of operations. Rules only allow; the rest is denied.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::limits::{GivenLimits, Limits};
use super::operation::{self, Call, Data, TABLE};
use super::refusal::{Code, Refusal};

/// A rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The groups that it is for.
    pub groups: BTreeSet<String>,
    /// The operations that it allows, by name.
    #[serde(deserialize_with = "operations")]
    pub allow: BTreeSet<&'static str>,
    /// Whether it allows them for the caller's own interactions only.
    #[serde(default)]
    pub own: bool,
    /// Its limits, where they differ from the general ones.
    #[serde(default)]
    pub limits: GivenLimits,
}

/// What a caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// The operations, and whether each is for the caller's own interactions only.
    pub operations: BTreeMap<&'static str, bool>,
    /// The limits.
    pub limits: Limits,
}

/// What the rules of these groups allow together. `limits` are the general ones.
pub fn permissions(rules: &[Rule], limits: &GivenLimits, groups: &BTreeSet<String>) -> Permissions {
    let general = Limits::DEFAULT.with(limits);
    let (mut operations, mut widest) = (BTreeMap::new(), None);
    for rule in rules.iter().filter(|rule| !rule.groups.is_disjoint(groups)) {
        let limits = general.with(&rule.limits);
        widest = Some(widest.map_or(limits, |widest: Limits| widest.wider(limits)));
        for name in &rule.allow {
            // One rule without `own` is enough.
            operations.entry(*name).and_modify(|is_own| *is_own &= rule.own).or_insert(rule.own);
        }
    }
    operations.retain(|name, is_own| !*is_own || !is_of_all_users(name));
    // Such a token opens every user's interaction.
    if operations.values().any(|is_own| *is_own) {
        operations.remove("token.streams");
    }
    Permissions { operations, limits: widest.unwrap_or(general) }
}

/// Reads names of operations; `facts.*` names all that begin with `facts.`.
fn operations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<&'static str>, D::Error> {
    let mut allowed = BTreeSet::new();
    for name in Vec::<String>::deserialize(deserializer)? {
        let resource = name.strip_suffix(".*").map(|resource| format!("{resource}."));
        let is_named = |known: &&str| match &resource {
            Some(resource) => known.starts_with(resource),
            None => *known == name,
        };
        let named: Vec<&str> = operation::names().into_iter().filter(is_named).collect();
        if named.is_empty() {
            return Err(de::Error::custom(unknown(&name)));
        }
        allowed.extend(named);
    }
    Ok(allowed)
}

/// Whether an operation is about the data of all users: then nobody may do it for their own only.
fn is_of_all_users(name: &str) -> bool {
    TABLE.iter().any(|operation| operation.name == name && operation.data == Data::AllUsers)
}

impl Permissions {
    /// The operations and limits, as `--check` and the broker show them.
    pub fn to_json(&self) -> Value {
        let Limits { rate, burst, requests, sockets, session: _, body, tokens } = self.limits;
        let operations = self.operations.iter().map(|(name, own)| json!({ "name": name, "own": own }));
        json!({
            "operations": operations.collect::<Vec<_>>(),
            "limits": {
                "rate": rate.to_string(),
                "burst": burst,
                "requests": requests,
                "sockets": sockets,
                "session": format!("{:#}", self.limits.session()),
                "body": body.to_string(),
                "tokens": tokens.to_string(),
            },
        })
    }

    /// Whether the operation `name` of the broker is allowed, and only for the caller's own interactions.
    pub fn of_broker(&self, name: &str) -> Result<bool, Refusal> {
        self.operations.get(name).copied().ok_or_else(|| denied(name))
    }

    /// Decides about a call. Returns the interaction whose owner must be the caller, if there is one.
    pub fn decide(&self, call: &Call) -> Result<Option<Uuid>, Refusal> {
        let name = call.operation.name;
        let is_own = self.operations.get(name).ok_or_else(|| denied(name))?;
        Ok(call.interaction.filter(|_| *is_own))
    }
}

fn denied(name: &str) -> Refusal {
    let own = if is_of_all_users(name) {
        "; a rule with `own` never does, because it concerns every user's data"
    } else {
        ""
    };
    Refusal::new(Code::OPERATION_DENIED, format!("no rule of your groups allows `{name}`{own}"))
}

/// Refuses another user's interaction. `user` asks; `assigned` is its `assignedUserId`.
pub fn check_owner(assigned: Option<Uuid>, user: Uuid) -> Result<(), Refusal> {
    if assigned == Some(user) {
        return Ok(());
    }
    Err(Refusal::new(Code::NOT_OWNER, "this interaction is not assigned to you"))
}

/// Whether a server may read this name as `assignedUserId`: in any case, or with letters that fold to ASCII.
fn is_assignment(name: &str) -> bool {
    !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) || name.eq_ignore_ascii_case("assignedUserId")
}

/// Refuses to assign an interaction to another user. `body` is that of an update.
pub fn check_update(body: &[u8]) -> Result<(), Refusal> {
    let body: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    if body.is_some_and(|body| !body.keys().any(|name| is_assignment(name))) {
        return Ok(());
    }
    let detail = "you cannot assign your interaction to another user";
    Err(Refusal::new(Code::OPERATION_DENIED, detail))
}

/// Assigns a new interaction to `owner`, whatever its body says.
pub fn assign(body: &mut Map<String, Value>, owner: Uuid) {
    body.retain(|name, _| !is_assignment(name));
    body.insert("assignedUserId".to_owned(), owner.to_string().into());
}

fn unknown(name: &str) -> String {
    let kind = |name: &&str| name.split_once('.').map_or((*name).to_owned(), |(kind, _)| format!("{kind}.*"));
    let kinds: BTreeSet<String> = operation::names().iter().map(kind).collect();
    let names = operation::names();
    let mut known = names.into_iter().chain(kinds.iter().map(String::as_str));
    if let Some(near) = known.find(|known| strsim::damerau_levenshtein(known, name) <= 2) {
        return format!("`{name}` is not an operation; did you mean `{near}`?");
    }
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
    format!("`{name}` is not an operation; use {kinds}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(groups: &[&str], allow: &[&'static str], own: bool) -> Rule {
        let groups = groups.iter().map(|it| (*it).to_owned()).collect();
        Rule { groups, allow: allow.iter().copied().collect(), own, limits: GivenLimits::default() }
    }

    fn rules() -> Vec<Rule> {
        vec![
            rule(
                &["clinician"],
                &["facts.list", "interactions.list", "languages.list", "session.streams"],
                true,
            ),
            rule(&["batch"], &["facts.list", "interactions.list"], false),
        ]
    }

    fn decided(groups: &[&str], method: &str, path: &str) -> Result<Option<Uuid>, Code> {
        let groups = groups.iter().map(|it| (*it).to_owned()).collect();
        let call = operation::find(method, path).unwrap();
        permissions(&rules(), &GivenLimits::default(), &groups).decide(&call).map_err(|refusal| refusal.code)
    }

    #[test]
    fn what_no_rule_allows_is_denied() {
        let facts = format!("/corti/v2/interactions/{}/facts/", Uuid::nil());
        let list = "/corti/v2/interactions/";
        assert_eq!(decided(&["clinician"], "GET", &facts), Ok(Some(Uuid::nil())));
        assert_eq!(decided(&["clinician"], "POST", &facts), Err(Code::OPERATION_DENIED));
        assert_eq!(decided(&["clinician"], "GET", list), Err(Code::OPERATION_DENIED));
        assert_eq!(decided(&["clinician"], "GET", "/corti/v2/languages/"), Ok(None));
        assert_eq!(decided(&["clinician", "batch"], "GET", list), Ok(None));
        assert_eq!(decided(&["clinician", "batch"], "GET", &facts), Ok(None));
        for groups in [&[][..], &["other"]] {
            assert_eq!(decided(groups, "GET", "/corti/v2/languages/"), Err(Code::OPERATION_DENIED));
        }
    }
}
