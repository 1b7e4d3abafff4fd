//! Where the request did not get to the API: a proxy on the way wants to know who asks, or the answer leads elsewhere.

use crate::domain::explain::explanation::Evidence;

use super::{Rule, Signs, fitting};

/// The answers that lead elsewhere (RFC 9110, section 15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

pub(super) const RULES: [Rule; 2] = [
    Rule {
        id: "proxy-credentials",
        cause: "the proxy on the way wants a user name and a password",
        signs: |it| {
            let schemes = it.proxy.as_ref().filter(|_| it.is_status(&[407]));
            let text = schemes.map(|schemes| match schemes.as_slice() {
                [] => "407, and Proxy-Authenticate names no scheme that is known".to_owned(),
                schemes => format!("407, and Proxy-Authenticate asks for {}", schemes.join(" or ")),
            });
            Signs::none().certain(text).fits(fitting(it, &[407]).filter(|_| it.proxy.is_none()))
        },
        remedy: |it| {
            let is_basic = it.proxy.as_ref().is_none_or(|schemes| schemes.contains(&"Basic"));
            let how = if is_basic {
                "name them, percent-encoded, in HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT)"
            } else {
                "this tool knows Basic alone: ask for a way past the proxy, or for one that takes Basic"
            };
            format!("{how}, then: corti-auth doctor")
        },
    },
    Rule {
        id: "redirect",
        cause: "the answer leads elsewhere, and no redirect is followed: the host or the path is wrong, http stands \
                for https, or a network's login page is in between",
        signs: |it| {
            let leads = it.status.filter(|_| it.is_status(&REDIRECTS)).zip(it.location.as_ref());
            let text = leads.map(|(status, location)| format!("{status}, and Location is `{location}`"));
            Signs::none().certain(text).fits(fitting(it, &REDIRECTS).filter(|_| it.location.is_none()))
        },
        remedy: |it: &Evidence| {
            let look = match &it.location {
                Some(_) => "compare that address with the one that was asked",
                None => "save the answer's head too (curl -i), whose Location says where it leads",
            };
            format!("{look}; log in where the network asks for it, then: corti-auth doctor")
        },
    },
];
