//! The causes of requests that did not reach the API: a proxy asks for credentials, or the answer is a redirect.

use crate::domain::explain::cause::Candidate;
use crate::domain::explain::evidence::Evidence;

/// The redirects of RFC 9110, section 15.4.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

pub(super) fn candidates(it: &Evidence) -> Vec<Candidate<'_>> {
    let cause = |id, text| Candidate::new(it, id, text);
    let schemes = it.proxy.as_ref().filter(|_| it.is_status(&[407]));
    let asked = schemes.map(|schemes| match schemes.as_slice() {
        [] => "407, and Proxy-Authenticate names no scheme that is known".to_owned(),
        schemes => format!("407, and Proxy-Authenticate asks for {}", schemes.join(" or ")),
    });
    let takes_basic = it.proxy.as_ref().is_none_or(|schemes| schemes.contains(&"Basic"));
    let redirect = it.status.filter(|_| it.is_status(&REDIRECTS)).zip(it.location.as_ref());
    vec![
        cause("proxy-credentials", "the proxy wants a user name and a password")
            .proved(asked)
            .fits(it.has_only_status(&[407]) && it.proxy.is_none())
            .remedy(if takes_basic {
                "set HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT), percent-encoded, then: corti-auth doctor"
            } else {
                "corti-auth knows only Basic: use a proxy that takes Basic, or none, then: corti-auth doctor"
            }),
        cause(
            "redirect",
            "the answer is a redirect, which is not followed: the host or the path is wrong, http is used in place \
             of https, or a network's login page is in between",
        )
        .proved(redirect.map(|(status, location)| format!("{status}, and Location is `{location}`")))
        .fits(it.has_only_status(&REDIRECTS) && it.location.is_none())
        .remedy(match &it.location {
            Some(_) => {
                "compare that address with yours; log in where the network asks for it, then: corti-auth doctor"
            }
            None => {
                "save the head of the answer too (curl -i): its Location says where it leads: corti-auth doctor"
            }
        }),
    ]
}
