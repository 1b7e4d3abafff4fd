//! One member of a JSON value, for `--field`.

use serde_json::Value;

/// The member at `path`: an exact name, else names and positions in arrays, from 0, separated by dots. A name may have dots.
pub fn member<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let step = |name: &str| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    };
    let below = |(at, _)| member(step(path.get(..at)?)?, path.get(at + 1..)?);
    step(path).or_else(|| path.match_indices('.').find_map(below))
}

/// Whether it is a list of texts.
pub fn is_words(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
}

/// A value as one line of text: a text as it is, texts in an array separated by spaces, anything else as compact JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if is_words(value) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_names_a_member() {
        let value =
            json!({ "a": { "b": [1, { "c": null }] }, "a.b": "exact", "https://x.y/z": { "k.l": true } });
        let at = |path| member(&value, path).cloned();
        assert_eq!(at("a.b"), Some(json!("exact")));
        assert_eq!(at("a"), Some(json!({ "b": [1, { "c": null }] })));
        assert_eq!(at("https://x.y/z.k.l"), Some(json!(true)));
        let value = json!({ "a": { "b": [1, { "c": null }] } });
        let at = |path| member(&value, path).cloned();
        assert_eq!((at("a.b.0"), at("a.b.1.c")), (Some(json!(1)), Some(Value::Null)));
        for missing in ["", ".", "a.", ".a", "b", "a.b.2", "a.b.-1", "a.b.c", "a.b.0.c"] {
            assert_eq!(at(missing), None, "{missing}");
        }
    }

    #[test]
    fn values_are_raw_text() {
        let table = [
            (json!("x y"), "x y"),
            (json!(["a", "b"]), "a b"),
            (json!([1, 2]), "[1,2]"),
            (json!({ "a": 1 }), "{\"a\":1}"),
            (json!(true), "true"),
            (json!(null), ""),
        ];
        for (value, text) in table {
            assert_eq!(plain(&value), text);
        }
    }
}
