use super::*;

const ID: &str = "7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b";

fn code(method: &str, path: &str) -> Result<&'static str, Code> {
    find(method, path).map(|call| call.operation.name).map_err(|refusal| refusal.code)
}

#[test]
fn every_template_leads_to_its_own_operation() {
    for operation in TABLE.iter() {
        let filled = operation.template.replace("{interaction}", ID);
        let path: Vec<String> = filled
            .split('/')
            .map(|name| match name.split_once('}') {
                Some((_, verb)) => format!("x-1{verb}"),
                None => name.to_owned(),
            })
            .collect();
        let path = path.join("/");
        let call = find(operation.method, &format!("/corti{path}")).unwrap();
        assert_eq!(call.operation, operation, "{path}");
        assert_eq!(call.path, path);
        assert_eq!(call.interaction.is_some(), operation.template.contains("{interaction}"), "{path}");
    }
}

#[test]
fn only_the_table_is_forwarded() {
    assert_eq!(code("GET", "/corti/v2/languages/"), Ok("languages.list"));
    assert_eq!(code("GET", &format!("/corti/v2/interactions/{ID}/facts/")), Ok("facts.list"));
    for (method, path) in [
        ("POST", "/corti/v2/languages/"),
        ("GET", "/corti/v2/languages"),
        ("DELETE", "/corti/v2/documents/sections"),
        ("GET", "/corti/agents/registry"),
        ("GET", "/v2/languages/"),
        ("GET", "/corti"),
        ("GET", "/"),
        ("TRACE", "/corti/v2/languages/"),
        ("GET", "/corti/realms/base/protocol/openid-connect/token"),
        ("GET", "/corti/v2/agentic/agents/a/a2a/tasks/t:cancel"),
    ] {
        assert_eq!(code(method, path), Err(Code::ROUTE_UNKNOWN), "{method} {path}");
    }
}

#[test]
fn an_interaction_has_one_spelling() {
    for id in [ID.to_uppercase(), ID.replace('-', ""), "x".to_owned()] {
        let found = code("GET", &format!("/corti/v2/interactions/{id}"));
        assert_eq!(found, Err(Code::PATH_INVALID), "{id}");
    }
}

#[test]
fn a_query_loses_what_names_a_caller() {
    let kept =
        without_credentials("a=1&token=x&%74oken=y&TENANT-NAME=z&corti-ticket=t&b=%20c&access_token=u");
    assert_eq!(kept, "a=1&b=+c");
    assert_eq!(without_credentials(""), "");
}

/// Rules name operations, so an operation is about one kind of data.
#[test]
fn all_paths_of_a_name_are_about_the_same_data() {
    for operation in TABLE.iter() {
        let same = |other: &&Operation| other.name != operation.name || other.data == operation.data;
        assert!(TABLE.iter().all(|other| same(&other)), "{}", operation.name);
    }
    assert!(TABLE.iter().all(|operation| !BROKER.contains(&operation.name)));
}
