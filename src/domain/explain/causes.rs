//! Lists the causes that a failure may have, the likeliest first.
//!
//! The server's own words count more than what a token or a request shows, and that more than a status that fits. What is
//! asked of the evidence is in [`super::evidence`].

use super::cause::Candidate;
pub use super::cause::{Cause, Confidence};
use super::evidence::Evidence;

mod proxy_or_redirect;
mod request_refused;
mod token_endpoint;
mod token_refused;
mod websocket;
mod wrong_target;

/// The causes, the likeliest first. Where one is certain, those that only fit are left out.
pub fn explain(evidence: &Evidence) -> Vec<Cause> {
    let mut found: Vec<Candidate<'_>> = all(evidence).filter(|it| it.weight > 0).collect();
    // Stable: causes of the same weight stay in the order of the lists.
    found.sort_by_key(|it| std::cmp::Reverse(it.weight));
    let causes: Vec<Cause> = found.into_iter().map(Candidate::into_cause).collect();
    let is_certain = causes.first().is_some_and(|cause| cause.confidence == Confidence::High);
    causes.into_iter().filter(|cause| !is_certain || cause.confidence > Confidence::Low).collect()
}

/// Every cause, weighed.
fn all(evidence: &Evidence) -> impl Iterator<Item = Candidate<'_>> {
    let lists = [
        token_endpoint::candidates,
        token_refused::candidates,
        wrong_target::candidates,
        proxy_or_redirect::candidates,
        request_refused::candidates,
        websocket::candidates,
    ];
    lists.into_iter().flat_map(|candidates| candidates(evidence))
}

#[cfg(test)]
mod tests;
