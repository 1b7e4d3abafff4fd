//! What strangers send to the gateway: paths, queries and protocols; and its configuration. The first byte says which.

#![no_main]

use corti_auth_fuzz::domain::gateway::config::Config;
use corti_auth_fuzz::domain::gateway::operation::{self, TABLE};
use corti_auth_fuzz::domain::gateway::credential;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (Some(kind), Some(text)) = (text.get(..1), text.get(1..)) else { return };
    match kind {
        "p" => {
            for method in ["GET", "POST", "PATCH", "DELETE"] {
                let Ok(call) = operation::find(method, text) else { continue };
                // What goes upstream is what was asked for, without the mount, and has nothing to interpret.
                assert_eq!(text, format!("/corti{}", call.path));
                assert!(TABLE.iter().any(|known| known == call.operation));
                let parts = || call.path.split('/').skip(1);
                assert!(parts().all(|part| part != "." && part != ".." && !part.contains(['%', '\\', ';', '#'])));
                assert_eq!(parts().count(), call.operation.template.split('/').count() - 1);
            }
        }
        "q" => {
            let kept = operation::without_credentials(text).to_ascii_lowercase();
            for name in ["token", "tenant-name", "corti-ticket"] {
                assert!(kept.split('&').all(|pair| pair.split('=').next() != Some(name)), "{kept}");
            }
            let _ = credential::find(credential::Request { query: text, is_upgrade: true, ..Default::default() });
        }
        "h" => {
            let _ = credential::find(credential::Request { protocols: &[Some(text)], is_upgrade: true, ..Default::default() });
            let _ = credential::find(credential::Request { authorization: &[Some(text)], ..Default::default() });
        }
        "c" => {
            if let Ok(config) = Config::parse(text) {
                assert!(!config.issuers.is_empty() || !config.keys.is_empty());
                assert!(!config.origins.contains("*"));
            }
        }
        _ => {}
    }
});
