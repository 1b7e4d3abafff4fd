//! Finds the proxy that a request goes through, by the HTTP client's own rules, and without the proxy's user name and password.

use std::fmt;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use crate::domain::client::environment::is_loopback;

use super::host::Env;

/// The variables that name a proxy for https, in order of precedence. On Windows upper and lower case are the same.
pub const VARIABLES: &[&str] = if cfg!(windows) {
    &["HTTPS_PROXY", "ALL_PROXY"]
} else {
    &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
};

/// A proxy in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: &'static str,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy `{}:{}` of {}", self.host, self.port, self.variable)
    }
}

/// The proxy for requests to `url`: none for loopback, else what the variables name.
pub fn used_for(url: &Url, env: &Env) -> Option<Proxy> {
    if is_loopback(url) {
        return None;
    }
    let target = url.as_str().parse().ok()?;
    let used = Matcher::from_env().intercept(&target)?;
    // The first variable that alone leads to the same proxy.
    let says = |name: &str| proxy_of(name, env).is_some_and(|proxy| proxy.uri() == used.uri());
    let variable = VARIABLES.iter().copied().find(|name| says(name)).unwrap_or("the environment");
    let default_port = match used.uri().scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        _ => 1080,
    };
    let port = used.uri().port_u16().unwrap_or(default_port);
    Some(Proxy { variable, host: used.uri().host()?.to_owned(), port })
}

/// The variables with a value that is not a URL, or a kind of proxy that this tool does not support, such as SOCKS.
pub fn unusable(env: &Env) -> Vec<&'static str> {
    let speaks = |proxy: &Intercept| matches!(proxy.uri().scheme_str(), Some("http" | "https"));
    let set = VARIABLES.iter().copied().filter(|name| env.get(name).is_some());
    set.filter(|name| !proxy_of(name, env).is_some_and(|proxy| speaks(&proxy))).collect()
}

fn proxy_of(name: &str, env: &Env) -> Option<Intercept> {
    let anywhere = "https://corti-auth.invalid/".parse().ok()?;
    Matcher::builder().all(env.get(name)?).build().intercept(&anywhere)
}
