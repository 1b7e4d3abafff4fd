//! Lists the causes that a failure may have, the likeliest first.
//!
//! The server's own words count more than what a token or a request shows, and that more than a status that fits.

pub use super::cause::{Cause, Confidence};
use super::evidence::Evidence;

mod request_refused;
mod token_endpoint;
mod token_refused;

/// The causes, the likeliest first. If one is certain, those that only fit are left out.
pub fn explain(evidence: &Evidence) -> Vec<Cause> {
    let mut causes: Vec<Cause> = all(evidence).filter(|cause| cause.weight > 0).collect();
    // Stable: causes of the same weight stay in the order of the lists.
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.weight));
    if causes.first().is_some_and(|cause| cause.confidence() == Confidence::High) {
        causes.retain(|cause| cause.confidence() > Confidence::Low);
    }
    causes
}

/// Every cause, with its evidence.
fn all(evidence: &Evidence) -> impl Iterator<Item = Cause> {
    let lists = [
        token_endpoint::causes,
        token_refused::causes,
        token_refused::wrong_target,
        request_refused::on_the_way,
        request_refused::content,
        request_refused::servers,
        request_refused::websocket,
    ];
    lists.into_iter().flat_map(|causes| causes(evidence))
}

#[cfg(test)]
mod tests;
