//! Why the Keychain of macOS refused, by its status codes (`SecBase.h`).

/// What a status code of the Keychain means for this tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// A person clicked Deny or Cancel.
    #[error("the Keychain asked for permission, and Deny or Cancel was clicked")]
    Denied,
    /// A wrong password, or another program's entry while nobody can be asked.
    #[error("the Keychain refused access: a wrong password, or an entry of another program")]
    Refused,
    /// It would ask, but has no desktop to ask on, or `--no-input` forbids it.
    #[error("the Keychain must ask for permission, but prompts are not possible or not allowed")]
    CannotAsk,
    /// The session has no login keychain, as that of a daemon of launchd.
    #[error("this session has no login keychain")]
    NoKeychain,
    /// The entry exists, but could not be read before it was to be replaced.
    #[error("the Keychain already has an entry for this client, but this program may not read it")]
    Unreadable,
}

impl KeychainError {
    /// The meaning of a status code. The others are left to the system's own words.
    pub fn of(status: i32) -> Option<Self> {
        Some(match status {
            // errSecUserCanceled
            -128 => Self::Denied,
            // errSecAuthFailed
            -25293 => Self::Refused,
            // errSecInteractionNotAllowed, errSecInteractionRequired
            -25308 | -25315 => Self::CannotAsk,
            // errSecNotAvailable, errSecNoSuchKeychain, errSecInvalidKeychain, errSecNoDefaultKeychain
            -25291 | -25294 | -25295 | -25307 => Self::NoKeychain,
            // errSecDuplicateItem: the library adds an entry if reading it fails, for whatever reason.
            -25299 => Self::Unreadable,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_that_a_person_can_do_something_about_has_a_meaning() {
        let meaning = |error| {
            let found = (-40_000..=0).filter(|status| KeychainError::of(*status) == Some(error));
            found.collect::<Vec<_>>()
        };
        assert_eq!(meaning(KeychainError::Denied), [-128]);
        assert_eq!(meaning(KeychainError::Refused), [-25293]);
        assert_eq!(meaning(KeychainError::CannotAsk), [-25315, -25308]);
        assert_eq!(meaning(KeychainError::NoKeychain), [-25307, -25295, -25294, -25291]);
        assert_eq!(meaning(KeychainError::Unreadable), [-25299]);
    }

    #[test]
    fn a_missing_entry_and_a_missing_entitlement_are_none() {
        assert_eq!([-25300, -34018].map(KeychainError::of), [None, None]);
    }
}
